import { useAudit } from '../live/audit.ts';
import type { ExperimentShape } from '../shapes.ts';
import { actionWord, changeOf, whoIs } from '../words/audit.ts';
import { moment } from '../words/numbers.ts';
import { Empty, Loading } from './state.tsx';

const MOST = 8;

/** The experiment's last entries in the audit log. */
export function Changes({ experiment }: { readonly experiment: ExperimentShape }) {
  const audit = useAudit(experiment.key, MOST);
  switch (audit.kind) {
    case 'loading':
      return <Loading what="what was done" />;
    case 'failed':
      return <p class="note">It can’t be read now: {audit.message}.</p>;
    case 'there':
      return audit.entries.length === 0 ? (
        <Empty title="Nothing was done yet">
          <p>Promotions, pauses and rollbacks stand here, with who did them and why.</p>
        </Empty>
      ) : (
        <ol class="timeline">
          {audit.entries
            .flatMap((entry) => (entry.kind === 'experiment' ? [entry] : []))
            .slice(0, MOST)
            .map((entry) => (
              <li key={entry.sequence}>
                <time dateTime={entry.at}>{moment(entry.at)}</time>
                <p>
                  <b>{actionWord(entry.action)}</b> by {whoIs(entry.actor)}{' '}
                  <span class="quiet">{changeOf(entry)}</span>
                </p>
                {entry.reason !== '' && <p class="reason">“{entry.reason}”</p>}
              </li>
            ))}
        </ol>
      );
  }
}
