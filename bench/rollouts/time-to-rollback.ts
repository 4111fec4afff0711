import { cpus } from 'node:os';
import {
  failingClassifier,
  halfFlippedClassifier,
  nanClassifier,
  permutedClassifier,
  slowClassifier,
} from '../../test/models/classifiers.ts';
import { history, startRollout, travel } from '../../test/gateway/rollouts/rolled-out.ts';
import { print } from '../report.ts';

const HALF = { steps: [{ setWeight: 50 }, { analysis: { count: 1000 } }] };
const MIRRORED = {
  steps: [
    { setMirrorRoute: { percentage: 100 } },
    { analysis: { mirror: { minAgreement: 0.95, minComparisons: 40 } } },
  ],
};

const FAULTS: readonly (readonly [name: string, version2: () => Uint8Array, rollout: object])[] = [
  ['answers NaN', nanClassifier, HALF],
  ['fails at every run', failingClassifier, HALF],
  ['labels permuted', permutedClassifier, HALF],
  ['slow', slowClassifier, HALF],
  ['flips half its answers, mirrored', halfFlippedClassifier, MIRRORED],
];

/**
 * `npm run bench:rollouts`: version 2 of a classifier is rolled out to half of the units, and is wrong in one way each. A real gateway, real models,
 * 16 requests at once over HTTP with their outcomes, an analysis every 100 ms. Each fault twice.
 */
async function main(): Promise<void> {
  print(`${cpus()[0]?.model.trim() ?? 'unknown'}, Node ${process.versions.node}`);
  print('From the first answer of version 2 until nobody gets it; of a mirror, from the first copy.');
  for (const [name, version2, rollout] of FAULTS) {
    for (let run = 0; run < 2; run += 1) {
      await using gateway = await startRollout({ version2: version2(), rollout });
      const { state, ms, requests, metVariant } = await travel(gateway, { most: 20_000 });
      const cause = (await history(gateway)).at(-1)?.reason ?? '';
      const what = cause.length > 80 ? `${cause.slice(0, 80)}…` : cause;
      const floorMs = sinceFloor(gateway.log);
      const floor = floorMs === undefined ? '' : `, ${floorMs} ms after the floor was met`;
      print(
        `${name.padEnd(32)} ${state.kind}  ${Math.round(ms)} ms${floor}; ${metVariant} of ${requests} requests got it; ${what}`,
      );
    }
  }
}

/** From the request that met a hard floor until nobody gets the version, by the gateway's own log. */
function sinceFloor(log: readonly string[]): number | undefined {
  const timeOf = (text: string): number | undefined => {
    const line = log.find((candidate) => candidate.includes(text));
    return line === undefined ? undefined : (JSON.parse(line) as { time: number }).time;
  };
  const [met, moved] = [timeOf('met a hard floor'), timeOf('"state":"rolling_back"')];
  return met === undefined || moved === undefined ? undefined : moved - met;
}

await main();
