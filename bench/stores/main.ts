import { statSync } from 'node:fs';
import { join } from 'node:path';
import { availableParallelism, cpus } from 'node:os';
import { Redis } from 'ioredis';
import { countedMetrics } from '../../experiments/counted-metric.ts';
import { readExperiment } from '../../experiments/definition.ts';
import { epochOf } from '../../experiments/epoch.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { experimentResults } from '../../experiments/results/experiment-results.ts';
import { windowsOf } from '../../experiments/stores/ledger.ts';
import type { Outcome, UnitExposure } from '../../experiments/stores/ledger.ts';
import { MemoryStore } from '../../experiments/stores/memory/memory-store.ts';
import { RedisStore } from '../../experiments/stores/redis-store.ts';
import { SqliteStore } from '../../experiments/stores/sqlite-store.ts';
import type { StateStore } from '../../experiments/stores/state-store.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import { findRedis, startRedis } from '../../test/servers/redis-server.ts';
import { print } from '../report.ts';
import { seededRandom } from '../simulations/random.ts';

/** What goes to a store in one call, as the gateway sends it. */
const UNITS_A_CALL = 2000;

/** Calls under way at once: the gateway has one of exposures and one of outcomes. */
const RESULTS_ASKED = 9;

const START_MS = Date.UTC(2026, 10, 20, 12);

const experiment = readExperiment(
  parseYaml(
    `
key: digits
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 90 }, { name: v2, version: 2, weight: 10 }]
metrics:
  - { name: correct, kind: proportion, role: goal }
  - { name: revenue, kind: mean, role: goal, window: 24h }
`,
    'digits.yaml',
  ),
  undefined,
);
const metrics = countedMetrics(experiment.metrics);
const windowsMs = windowsOf(metrics);
const split = epochOf(experiment);

function exposures(from: number, to: number, random: () => number): readonly UnitExposure[] {
  return Array.from({ length: to - from }, (_, index) => {
    const unit = (from + index).toString(16).padStart(16, '0');
    return {
      experiment: experiment.key,
      phase: 1,
      epoch: split.epoch,
      variant: random() < 0.1 ? 'v2' : 'v1',
      unit,
      uid: unit,
      atMs: START_MS,
      keyId: '',
      values: { error_rate: 0, latency: 5 * Math.exp(random()), queue: random(), compute: 1 + random() },
      category: String(Math.floor(random() * 10)),
      windowsMs,
    };
  });
}

function outcomesOf(units: readonly UnitExposure[], random: () => number): readonly Outcome[] {
  const [metric] = metrics;
  if (metric === undefined) throw new Error('the experiment has metrics');
  return units.map((unit) => ({
    ...unit,
    issuedMs: START_MS,
    receivedMs: START_MS + 1000,
    expiresMs: START_MS + 7 * 86_400_000,
    metric,
    value: { x: random() < 0.9 ? 1 : 0, y: 1 },
  }));
}

/** Objects, and the memory of typed arrays beside them. */
function keptBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function measure(
  name: string,
  store: StateStore,
  units: number,
  bytesOf: () => Promise<string>,
): Promise<void> {
  const random = seededRandom(1);
  globalThis.gc?.();
  const before = keptBytes();
  let [exposureMs, outcomeMs] = [0, 0];
  for (let from = 0; from < units; from += UNITS_A_CALL) {
    const part = exposures(from, Math.min(units, from + UNITS_A_CALL), random);
    const outcomes = outcomesOf(part, random);
    const startMs = performance.now();
    await store.recordExposures({
      epochs: [{ experiment: experiment.key, phase: 1, ...split }],
      requests: [],
      units: part,
    });
    const betweenMs = performance.now();
    await store.recordOutcomes(outcomes);
    exposureMs += betweenMs - startMs;
    outcomeMs += performance.now() - betweenMs;
  }
  const asked: number[] = [];
  for (let count = 0; count < RESULTS_ASKED; count++) {
    const startMs = performance.now();
    const tallies = await store.tallies(experiment.key, 1, metrics, START_MS + 3_600_000);
    const results = experimentResults(experiment, tallies, START_MS + 3_600_000);
    if (results.variants.reduce((sum, variant) => sum + variant.units, 0) !== units)
      throw new Error('units were lost');
    asked.push(performance.now() - startMs);
  }
  globalThis.gc?.();
  const kept = (keptBytes() - before) / 1024 ** 2;
  const perSecond = (ms: number): string => Math.round((units / ms) * 1000).toLocaleString('en');
  const sorted = asked.toSorted((a, b) => a - b);
  print(`${name}: ${units.toLocaleString('en')} units, each with an exposure and an outcome`);
  print(`  exposures          ${perSecond(exposureMs).padStart(9)} a second`);
  print(`  outcomes           ${perSecond(outcomeMs).padStart(9)} a second`);
  print(
    `  results            ${(sorted[4] ?? 0).toFixed(1).padStart(9)} ms (median of ${RESULTS_ASKED}; the slowest ${(sorted.at(-1) ?? 0).toFixed(1)} ms)`,
  );
  print(
    `  kept by the process ${kept.toFixed(0).padStart(8)} MiB more (${((kept * 1024 ** 2) / units).toFixed(0)} bytes a unit)`,
  );
  print(`  ${await bytesOf()}`);
  print();
}

const units = Number(process.argv[2] ?? 1_000_000);
const only = process.argv[3];
print(
  `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} threads, Node ${process.versions.node}`,
);
print();
if (only === undefined || only === 'memory')
  await measure('memory', new MemoryStore(), units, () =>
    Promise.resolve('bounded: one unit more is refused'),
  );
if (only === undefined || only === 'sqlite') {
  await using folder = await temporaryFolder({ README: 'state' });
  const file = join(folder.path, 'state.db');
  const store = await SqliteStore.open(file);
  await measure('SQLite', store, units, () =>
    Promise.resolve(`file                ${(statSync(file).size / 1024 ** 2).toFixed(0).padStart(8)} MiB`),
  );
  await store.close();
}
if (only === undefined || only === 'redis') {
  const found = await findRedis();
  if (found.kind === 'missing') print(`Redis: ${found.reason}`);
  else {
    await using server = await startRedis(found.program);
    const store = new RedisStore(server.url);
    await store.ready(5000);
    await measure('Redis', store, units, async () => {
      const redis = new Redis(server.url);
      const used = /used_memory:([0-9]+)/.exec(await redis.info('memory'))?.[1] ?? '0';
      redis.disconnect();
      return `Redis's own memory  ${(Number(used) / 1024 ** 2).toFixed(0).padStart(8)} MiB`;
    });
    await store.close();
  }
}
