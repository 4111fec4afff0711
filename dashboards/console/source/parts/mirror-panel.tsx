import type { MirrorResult } from '../shapes.ts';
import { count, figure, milliseconds, percent } from '../words/numbers.ts';
import { Empty } from './state.tsx';

/** How shadows answer the same requests. */
export function MirrorPanel({ mirrors }: { readonly mirrors: readonly MirrorResult[] }) {
  if (mirrors.length === 0) {
    return (
      <Empty title="Nothing is mirrored">
        <p>
          With <code>mirror: &#123; variant: v2, share: 0.1 &#125;</code> in its file, a variant gets copies
          of requests that others answer; how often both agree shows here.
        </p>
      </Empty>
    );
  }
  return (
    <>
      {mirrors.map((mirror) => (
        <Pair key={`${mirror.variant} ${mirror.mirror}`} result={mirror} />
      ))}
    </>
  );
}

/** Pairs of labels that are listed; the others are told as a number. */
const MOST_FLIPS = 6;

function Pair({ result }: { readonly result: MirrorResult }) {
  const { variant, mirror, compared, agreement, flips, otherFlips, drift, difference, computeMs } = result;
  const shown = flips.slice(0, MOST_FLIPS);
  const hidden = flips.slice(MOST_FLIPS).reduce((sum, { rows }) => sum + rows, otherFlips);
  return (
    <>
      <p class="pair">
        <b>{mirror}</b> beside <b>{variant}</b>: {count(compared)} requests answered by both
      </p>
      <dl class="figures">
        {agreement !== null && (
          <div>
            <dt>Agreement</dt>
            <dd class="large">
              {percent(agreement.share, 2)}
              <small>
                of units {percent(agreement.interval[0], 1)} to {percent(agreement.interval[1], 1)}
              </small>
            </dd>
          </div>
        )}
        {difference !== null && (
          <div>
            <dt>Scores differ by</dt>
            <dd>
              {figure(difference.mean)} <small>at most {figure(difference.largest)}</small>
            </dd>
          </div>
        )}
        {drift !== null && (
          <div>
            <dt>Drift</dt>
            <dd>
              {figure(drift.psi)} <small>PSI</small>
            </dd>
          </div>
        )}
        {computeMs.variant !== null && computeMs.mirror !== null && (
          <div>
            <dt>Compute, median</dt>
            <dd>
              {milliseconds(computeMs.mirror.p50)}{' '}
              <small>against {milliseconds(computeMs.variant.p50)}</small>
            </dd>
          </div>
        )}
      </dl>
      {agreement !== null &&
        (shown.length === 0 ? (
          <p class="note">No answer names another class.</p>
        ) : (
          <table class="figures-table">
            <caption>Where the label flips</caption>
            <thead>
              <tr>
                <th scope="col">{variant} says</th>
                <th scope="col">{mirror} says</th>
                <th scope="col">Rows</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ from, to, rows }) => (
                <tr key={`${from} ${to}`}>
                  <th scope="row">{from}</th>
                  <td>{to}</td>
                  <td>{count(rows)}</td>
                </tr>
              ))}
              {hidden > 0 && (
                <tr>
                  <th scope="row" colSpan={2}>
                    others
                  </th>
                  <td>{count(hidden)}</td>
                </tr>
              )}
            </tbody>
          </table>
        ))}
      <Missing title="Not sent" counts={result.dropped} />
      <Missing title="Not answered" counts={result.failed} />
    </>
  );
}

function Missing({
  title,
  counts,
}: {
  readonly title: string;
  readonly counts: Readonly<Record<string, number>>;
}) {
  const all = Object.entries(counts).filter(([, copies]) => copies > 0);
  if (all.length === 0) return null;
  return (
    <p class="note">
      {title}: {all.map(([reason, copies]) => `${count(copies)} ${reason.replaceAll('_', ' ')}`).join(', ')}
    </p>
  );
}
