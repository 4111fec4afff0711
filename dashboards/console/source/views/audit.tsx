import { useAudit } from '../live/audit.ts';
import { Empty, Loading } from '../parts/state.tsx';
import { hrefOf } from '../router.ts';
import { actionWord, changeOf, subjectOf, whoIs } from '../words/audit.ts';
import { moment } from '../words/numbers.ts';

const PAGE = 100;

/** Who did what, when and why; nothing in it is ever changed. */
export function Audit() {
  const audit = useAudit(undefined, PAGE);
  return (
    <>
      <div class="page-head">
        <h1>Audit log</h1>
        <p class="quiet">The latest first. Nothing is ever changed or taken away.</p>
      </div>
      {audit.kind === 'loading' && <Loading what="the audit log" lines={6} />}
      {audit.kind === 'failed' && (
        <Empty title="The audit log can’t be read now">
          <p>{audit.message}.</p>
        </Empty>
      )}
      {audit.kind === 'there' && audit.entries.length === 0 && (
        <Empty title="Nothing was done yet">
          <p>Every change of an experiment, a model, a key or the log, and by whom, will stand here.</p>
        </Empty>
      )}
      {audit.kind === 'there' && audit.entries.length > 0 && (
        <section class="panel" aria-label="Entries">
          <div class="scroll" tabIndex={0} role="region" aria-label="The audit log">
            <table>
              <thead>
                <tr>
                  <th scope="col" class="number">
                    #
                  </th>
                  <th scope="col">Time</th>
                  <th scope="col">Of</th>
                  <th scope="col">What</th>
                  <th scope="col">Who</th>
                  <th scope="col">Change</th>
                  <th scope="col">Why</th>
                </tr>
              </thead>
              <tbody>
                {audit.entries.map((entry) => (
                  <tr key={entry.sequence}>
                    <td class="number">{entry.sequence}</td>
                    <td>{entry.at !== undefined && <time dateTime={entry.at}>{moment(entry.at)}</time>}</td>
                    <th scope="row">
                      {entry.kind === 'experiment' ? (
                        <a href={hrefOf({ view: 'experiment', key: entry.experiment })}>{entry.experiment}</a>
                      ) : (
                        subjectOf(entry)
                      )}
                    </th>
                    <td>{actionWord(entry.action ?? '')}</td>
                    <td>{entry.kind === undefined ? '' : whoIs(entry.actor)}</td>
                    <td>{changeOf(entry)}</td>
                    <td class="why">{entry.kind === 'experiment' ? entry.reason : ''}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {audit.fault !== undefined && (
            <p class="note" role="alert">
              More of it can’t be read now: {audit.fault}.
            </p>
          )}
          {audit.previous !== null && (
            <button type="button" onClick={audit.more}>
              Show earlier entries
            </button>
          )}
        </section>
      )}
    </>
  );
}
