import { useState } from 'preact/hooks';
import { IntervalChart } from '../charts/interval-chart.tsx';
import { SplitChart } from '../charts/split-chart.tsx';
import { fault, results as latestResults } from '../live/feed.ts';
import { ratesOf, useHistory } from '../live/history.ts';
import { useObservable } from '../observable.ts';
import { Actions } from '../parts/actions.tsx';
import { StatusBadge } from '../parts/badge.tsx';
import { Changes } from '../parts/changes.tsx';
import { HealthPanel } from '../parts/health-panel.tsx';
import { HistoryTable } from '../parts/history-table.tsx';
import { MetricTable } from '../parts/metric-table.tsx';
import { MirrorPanel } from '../parts/mirror-panel.tsx';
import { RolloutTrack } from '../parts/rollout-track.tsx';
import { SplitTable } from '../parts/split-table.tsx';
import { Empty, Loading } from '../parts/state.tsx';
import { VerdictCard } from '../parts/verdict-card.tsx';
import type { ExperimentShape, PointShape, ResultsShape } from '../shapes.ts';

interface ExperimentProps {
  readonly name: string;
  readonly experiment: ExperimentShape | undefined;
}

/** One experiment, live. */
export function Experiment({ name, experiment }: ExperimentProps) {
  if (experiment === undefined) {
    return (
      <>
        <h1>{name}</h1>
        <Empty title="This experiment isn’t served">
          <p>
            Its file is a draft, was taken away, or your key is for other models.{' '}
            <a href="#/experiments">All experiments</a>
          </p>
        </Empty>
      </>
    );
  }
  return <Served experiment={experiment} />;
}

function Served({ experiment }: { readonly experiment: ExperimentShape }) {
  const { key, model, phase, phaseName } = experiment;
  const latest = useObservable(latestResults);
  const unread = useObservable(fault);
  const points = useHistory(experiment);
  return (
    <>
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href="#/experiments">Experiments</a>
      </nav>
      <div class="page-head">
        <h1>{key}</h1>
        <StatusBadge experiment={experiment} />
        <p class="quiet">
          on {model}, {phaseName ?? `phase ${phase}`}
        </p>
        <Actions experiment={experiment} />
      </div>
      {unread !== undefined && (
        <p class="notice" role="alert">
          What it says can’t be read now: {unread}. It is tried again by itself.
        </p>
      )}
      {latest === undefined ? (
        <Loading what="what it says" lines={5} />
      ) : (
        <Panels experiment={experiment} results={latest.results} points={points} />
      )}
    </>
  );
}

interface PanelsProps {
  readonly experiment: ExperimentShape;
  readonly results: ResultsShape;
  readonly points: readonly PointShape[];
}

function Panels({ experiment, results, points }: PanelsProps) {
  const { control, variants } = experiment;
  const names = variants.map(({ name }) => name);
  return (
    <div class="panels">
      <VerdictCard experiment={experiment} results={results} />
      <section class="panel wide" aria-labelledby="rollout">
        <h2 id="rollout">Rollout</h2>
        <RolloutTrack experiment={experiment} />
      </section>
      <IntervalPanel experiment={experiment} results={results} points={points} />
      <section class="panel narrow" aria-labelledby="split">
        <h2 id="split">Split</h2>
        <SplitTable experiment={experiment} results={results} rates={ratesOf(points)} />
        {points.length > 2 ? (
          <>
            <SplitChart points={points} names={names} control={control} />
            <p class="note">Share of the requests over time; the dashed line is what is planned.</p>
          </>
        ) : (
          <p class="note">Its course is drawn once there is some traffic.</p>
        )}
      </section>
      <section class="panel wide" aria-labelledby="metrics">
        <h2 id="metrics">Metrics and guardrails</h2>
        <MetricTable experiment={experiment} results={results} />
      </section>
      <section class="panel half" aria-labelledby="health">
        <h2 id="health">Can it be believed?</h2>
        <HealthPanel results={results} />
      </section>
      <section class="panel half" aria-labelledby="mirror">
        <h2 id="mirror">Mirror</h2>
        <MirrorPanel mirrors={results.mirrors} />
      </section>
      <section class="panel wide" aria-labelledby="changes">
        <h2 id="changes">What was done</h2>
        <Changes experiment={experiment} />
      </section>
    </div>
  );
}

function IntervalPanel({ experiment, results, points }: PanelsProps) {
  const { control, variants } = experiment;
  const shown = results.metrics.length > 0 ? results.metrics : results.builtIn;
  const metrics = [...new Set(shown.map(({ name }) => name))];
  const [chosen, choose] = useState<string | undefined>(undefined);
  const metric = chosen !== undefined && metrics.includes(chosen) ? chosen : metrics[0];
  const names = variants.map(({ name }) => name);
  const challengers = names.filter((name) => name !== control);
  return (
    <section class="panel main" aria-labelledby="intervals">
      <div class="panel-head">
        <h2 id="intervals">Lift against {control}</h2>
        {metrics.length > 1 && (
          <label class="choice">
            <span class="hidden">Metric</span>
            <select
              value={metric}
              onChange={({ currentTarget }) => {
                choose(currentTarget.value);
              }}
            >
              {metrics.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
        {metrics.length === 1 && <span class="quiet">{metric}</span>}
      </div>
      {metric === undefined || points.length === 0 ? (
        <Empty title="Nothing to compare yet">
          <p>Intervals are drawn once units of each variant have outcomes.</p>
        </Empty>
      ) : (
        <>
          <IntervalChart
            points={points}
            metric={metric}
            variants={challengers}
            names={names}
            control={control}
          />
          <p class="note">
            The band is where the true lift is, at every look together. It decides once it leaves the dashed
            line at zero.
            {results.metrics.length === 0 ? ' Measured by the gateway; it decides nothing.' : ''}
          </p>
          <HistoryTable points={points} metric={metric} variants={challengers} />
        </>
      )}
    </section>
  );
}
