import { models as served } from '../live/feed.ts';
import { useObservable } from '../observable.ts';
import { Badge } from '../parts/badge.tsx';
import { Empty, Loading } from '../parts/state.tsx';
import type { ModelShape } from '../shapes.ts';
import { count, milliseconds } from '../words/numbers.ts';
import type { Tone } from '../words/verdict.ts';

type Version = ModelShape['versions'][number];

/** What is served: versions, how they batch, and what waits. */
export function Models() {
  const models = useObservable(served);
  return (
    <>
      <div class="page-head">
        <h1>Models</h1>
      </div>
      {models === undefined ? (
        <Loading what="the models" />
      ) : models.length === 0 ? (
        <Empty title="No model is served">
          <p>
            Put one into the model repository as <code>name/1/model.onnx</code>; it shows here once it is
            loaded.
          </p>
        </Empty>
      ) : (
        models.map((model) => <Model key={model.name} model={model} />)
      )}
    </>
  );
}

function Model({ model: { name, versions } }: { readonly model: ModelShape }) {
  return (
    <section class="panel model" aria-labelledby={`model-${name}`}>
      <h2 id={`model-${name}`}>{name}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label={`Versions of ${name}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Instances
              </th>
              <th scope="col" class="number">
                Queue
              </th>
              <th scope="col" class="number">
                Answered
              </th>
              <th scope="col" class="number">
                Failed
              </th>
              <th scope="col" class="number">
                Queue, mean
              </th>
              <th scope="col" class="number">
                Compute, mean
              </th>
              <th scope="col">Batches by rows</th>
              <th scope="col">Batching</th>
            </tr>
          </thead>
          <tbody>
            {versions.map((version) => (
              <Row key={version.version} version={version} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const TONES: Readonly<Record<string, Tone>> = {
  READY: 'good',
  LOADING: 'open',
  UNLOADING: 'open',
  UNAVAILABLE: 'bad',
};

function Row({ version }: { readonly version: Version }) {
  const { state, reason, instances, queued, statistics, digest, platform } = version;
  const answered = statistics?.answered ?? 0;
  const mean = (sum: number | undefined): string =>
    answered === 0 || sum === undefined ? '—' : milliseconds(sum / answered);
  return (
    <tr>
      <th scope="row">
        {version.version}
        {digest !== undefined && <small title={digest}>{digest.slice(0, 10)}</small>}
        {platform !== undefined && <small>{platform}</small>}
      </th>
      <td>
        <Badge tone={TONES[state] ?? 'open'}>{state.toLowerCase()}</Badge>
        {reason !== '' && <small class="reason">{reason}</small>}
      </td>
      <td class="number">
        {instances === undefined ? '—' : `${instances.ready} of ${instances.wanted}`}
        {instances !== undefined && instances.hung > 0 && <small>{instances.hung} hang</small>}
      </td>
      <td class="number">{queued === undefined ? '—' : count(queued)}</td>
      <td class="number">{count(answered)}</td>
      <td class="number">{statistics === undefined ? '—' : count(statistics.failed)}</td>
      <td class="number">{mean(statistics?.queueMs)}</td>
      <td class="number">{mean(statistics?.computeMs)}</td>
      <td>
        <Batches version={version} />
      </td>
      <td>
        <Batching version={version} />
      </td>
    </tr>
  );
}

/** Runs by how many rows they had, in powers of two. */
function Batches({ version: { statistics } }: { readonly version: Version }) {
  if (statistics === undefined || statistics.runs === 0) return <>none yet</>;
  const bins = new Map<number, number>();
  for (const { rows, runs } of statistics.runsByRows) {
    const bin = Math.floor(Math.log2(Math.max(1, rows)));
    bins.set(bin, (bins.get(bin) ?? 0) + runs);
  }
  const most = Math.max(...bins.values());
  const last = Math.max(...bins.keys());
  const label = [...bins].map(([bin, runs]) => `${count(runs)} of ${rowsOf(bin)}`).join(', ');
  return (
    <span class="batches">
      <svg viewBox={`0 0 ${(last + 1) * 9} 22`} role="img" aria-label={`Runs by rows: ${label}`}>
        {Array.from({ length: last + 1 }, (_, bin) => {
          const height = ((bins.get(bin) ?? 0) / most) * 20;
          return <rect key={bin} x={bin * 9} y={21 - height} width="7" height={height + 1} rx="1" />;
        })}
      </svg>
      <small>{(statistics.rows / statistics.runs).toFixed(1)} rows a run</small>
    </span>
  );
}

function rowsOf(bin: number): string {
  return bin === 0 ? '1 row' : `${2 ** bin} to ${2 ** (bin + 1) - 1} rows`;
}

function Batching({ version: { batching } }: { readonly version: Version }) {
  if (batching === undefined) return <>—</>;
  if (!batching.enabled) return <>off</>;
  const parts = [
    `up to ${batching.maxBatchSize} rows`,
    batching.maxQueueDelayMs > 0 ? `waits ${milliseconds(batching.maxQueueDelayMs)}` : 'waits for no one',
    ...(batching.preferredBatchSizes.length > 0
      ? [`prefers ${batching.preferredBatchSizes.join(', ')}`]
      : []),
    ...(batching.targetLatencyMs !== undefined ? [`aims at ${milliseconds(batching.targetLatencyMs)}`] : []),
    ...(batching.priorityLevels > 0 ? [`${batching.priorityLevels} priorities`] : []),
  ];
  return <>{parts.join(', ')}</>;
}
