import type { ExperimentShape, ResultsShape } from '../shapes.ts';
import { count } from '../words/numbers.ts';
import { standingOf } from '../words/status.ts';
import { tellVerdict } from '../words/verdict.ts';
import type { Tone } from '../words/verdict.ts';

const SIGNS: Readonly<Record<Tone, string>> = { good: '▲', bad: '!', open: '…', still: '■' };

/** The verdict in words, and how much it stands on. */
export function VerdictCard({
  experiment,
  results,
}: {
  readonly experiment: ExperimentShape;
  readonly results: ResultsShape;
}) {
  const told = tellVerdict(experiment, results);
  const { status, control, winner } = experiment;
  const units = results.variants.reduce((sum, variant) => sum + variant.units, 0);
  const requests = results.variants.reduce((sum, variant) => sum + variant.exposures, 0);
  return (
    <section class={`verdict tone-${told.tone}`} aria-labelledby="verdict">
      <i class="verdict-sign" aria-hidden="true">
        {SIGNS[told.tone]}
      </i>
      <div class="verdict-words" aria-live="polite">
        <h2 id="verdict">{told.headline}</h2>
        <p>{told.why}</p>
        {status !== 'running' && (
          <p>
            It is {standingOf(experiment).word}: everybody gets{' '}
            {status === 'completed' ? (winner ?? control) : control}, and nothing more counts.
          </p>
        )}
      </div>
      <dl class="verdict-figures">
        <div>
          <dt>Units</dt>
          <dd>{count(units)}</dd>
        </div>
        <div>
          <dt>Requests</dt>
          <dd>{count(requests)}</dd>
        </div>
      </dl>
    </section>
  );
}
