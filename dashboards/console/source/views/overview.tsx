import { Badge, StatusBadge } from '../parts/badge.tsx';
import { SplitBar } from '../parts/split-bar.tsx';
import { Empty } from '../parts/state.tsx';
import { hrefOf } from '../router.ts';
import type { OverviewShape } from '../shapes.ts';
import { count, percent, pValue } from '../words/numbers.ts';
import { headlineOf } from '../words/rollout-plan.ts';
import { standingOf } from '../words/status.ts';
import { toneOf } from '../words/verdict.ts';

/** Every experiment with the one sentence that it comes down to. */
export function Overview({ experiments }: { readonly experiments: readonly OverviewShape[] }) {
  const running = experiments.filter(({ status }) => status === 'running').length;
  const order = ['running', 'paused', 'completed'];
  const sorted = [...experiments].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  return (
    <>
      <div class="page-head">
        <h1>Experiments</h1>
        <p class="quiet">
          {experiments.length === 0 ? '' : `${running} running, ${experiments.length - running} at rest`}
        </p>
      </div>
      {experiments.length === 0 ? (
        <Empty title="No experiment is served">
          <p>
            Write one file for each into the folder that <code>experiments</code> names;{' '}
            <code>signalbox init</code> writes a first one. It shows here within a second.
          </p>
        </Empty>
      ) : (
        <ul class="cards">
          {sorted.map((experiment) => (
            <li key={experiment.key}>
              <Card experiment={experiment} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Card({ experiment }: { readonly experiment: OverviewShape }) {
  const { key, model, status, control, winner, variants, reading, phase, phaseName, rollout } = experiment;
  const units = reading?.variants.reduce((sum, variant) => sum + variant.units, 0);
  const unitsOf = (name: string): number => reading?.variants.find((each) => each.name === name)?.units ?? 0;
  return (
    <article class="card">
      <header>
        <h2>
          <a href={hrefOf({ view: 'experiment', key })}>{key}</a>
        </h2>
        <StatusBadge experiment={experiment} />
        <span class="quiet">
          on {model}, {phaseName ?? `phase ${phase}`}
        </span>
      </header>
      <p class="card-verdict">
        {rollout !== undefined ? (
          <Badge tone={standingOf(experiment).tone}>{`${headlineOf(experiment, rollout)}.`}</Badge>
        ) : status === 'running' ? (
          reading === undefined ? (
            <span class="quiet">Being read …</span>
          ) : (
            <Badge tone={toneOf(reading.decision)}>{sentence(reading.verdict)}</Badge>
          )
        ) : (
          <span>Everybody gets {status === 'completed' ? (winner ?? control) : control}.</span>
        )}
      </p>
      <SplitBar variants={variants} control={control} />
      <dl class="figures">
        {variants.map(({ name, share }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {percent(share)} <small>planned</small>
              <br />
              {units === undefined || units === 0 ? '—' : percent(unitsOf(name) / units)}{' '}
              <small>of units seen</small>
            </dd>
          </div>
        ))}
        <div>
          <dt>Units</dt>
          <dd>{units === undefined ? '—' : count(units)}</dd>
        </div>
        <div>
          <dt>Sample ratio</dt>
          <dd>
            {reading === undefined ? '—' : reading.sampleRatio.ok ? 'as planned' : 'off'}{' '}
            <small>{reading === undefined ? '' : `p ${pValue(reading.sampleRatio.p)}`}</small>
          </dd>
        </div>
      </dl>
    </article>
  );
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}
