import type { ExperimentShape, MetricResult, ResultsShape } from '../shapes.ts';
import { figure, interval, percent, pValue, signedPercent } from '../words/numbers.ts';
import { Badge } from './badge.tsx';
import { IntervalMark, reachOf } from './interval-mark.tsx';
import { Empty } from './state.tsx';

const OUTCOMES = {
  better: { tone: 'good', text: 'better' },
  worse: { tone: 'bad', text: 'worse' },
  open: { tone: 'open', text: 'not known yet' },
} as const;

/** The experiment's own metrics, guardrails among them, and what the gateway measures by itself. */
export function MetricTable({
  experiment,
  results,
}: {
  readonly experiment: ExperimentShape;
  readonly results: ResultsShape;
}) {
  const { metrics, builtIn, leftOut } = results;
  return (
    <>
      {metrics.length === 0 ? (
        <Empty title="No metric has outcomes yet">
          <p>
            {experiment.metrics.length === 0 ? (
              <>Its file names no metrics: nothing can win or be guarded.</>
            ) : (
              <>
                Send what came of each prediction to <code>POST /v1/outcomes</code>, with its{' '}
                <code>X-Prediction-Id</code>.
              </>
            )}
          </p>
        </Empty>
      ) : (
        <Table metrics={metrics} control={experiment.control} />
      )}
      {leftOut.map(({ metric, reason }) => (
        <p key={metric} class="note">
          {metric} is not analysed: {reason}.
        </p>
      ))}
      {builtIn.length > 0 && (
        <details>
          <summary>Measured by the gateway ({builtIn.length}); decides nothing</summary>
          <Table metrics={builtIn} control={experiment.control} />
        </details>
      )}
    </>
  );
}

function Table({
  metrics,
  control,
}: {
  readonly metrics: readonly MetricResult[];
  readonly control: string;
}) {
  const reach = reachOf(metrics);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Metrics">
      <table>
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col">Variant</th>
            <th scope="col" class="number">
              {control}
            </th>
            <th scope="col" class="number">
              Estimate
            </th>
            <th scope="col" class="number">
              Lift
            </th>
            <th scope="col">Always-valid interval</th>
            <th scope="col" class="number">
              p
            </th>
            <th scope="col" class="number">
              Chance to win
            </th>
            <th scope="col">Stands</th>
          </tr>
        </thead>
        <tbody>
          {metrics.map((metric) => {
            const { tone, text } = OUTCOMES[metric.outcome];
            return (
              <tr key={`${metric.name} ${metric.variant}`}>
                <th scope="row">
                  {metric.name} <small>{metric.role}</small>
                </th>
                <td>{metric.variant}</td>
                <td class="number">{figure(metric.control)}</td>
                <td class="number">{figure(metric.estimate)}</td>
                <td class="number">{metric.lift === null ? '—' : signedPercent(metric.lift)}</td>
                <td class="interval-cell">
                  <IntervalMark metric={metric} reach={reach} />
                  {interval(metric.anytime.interval)}
                </td>
                <td class="number">{pValue(metric.adjustedP)}</td>
                <td class="number">{metric.chanceToWin === null ? '—' : percent(metric.chanceToWin)}</td>
                <td>
                  <Badge tone={tone}>{text}</Badge>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
