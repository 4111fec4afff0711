import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { print } from '../report.ts';
import { figuresText, SCENARIOS, simulateScenario, UNITS_AN_INTERVAL } from './simulations.ts';

/** `npm run simulate:rollouts`: a thousand rollouts of a version that is the same and of versions that are each worse in one way, and whether what is claimed of them holds. Exits 1 when it doesn't. */
async function main(): Promise<void> {
  print(`${cpus()[0]?.model.trim() ?? 'unknown'}, Node ${process.versions.node}`);
  print(
    `The preset canary, an analysis a minute, ${UNITS_AN_INTERVAL} new units a minute, minUnits 500; guardrails: errors`,
  );
  print(
    '(1 %, and at most 5 %), p99 of compute, right answers (90 %); callers turned away as mistaken (2 %) are compared beside them.',
  );
  print('Rates with their exact 99 % interval (Clopper and Pearson).');
  const texts = await Promise.all(SCENARIOS.map((_, index) => inThread(index)));
  for (const { text } of texts) print(`\n${text}`);
  const broken = texts.filter((figures) => !figures.holds).length;
  print(broken === 0 ? '\nEvery claim holds.' : `\n${broken} claims do not hold.`);
  if (broken > 0) process.exitCode = 1;
}

interface Told {
  readonly text: string;
  readonly holds: boolean;
}

function inThread(index: number): Promise<Told> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: index });
    worker.once('message', (told: Told) => {
      resolve(told);
    });
    worker.once('error', reject);
  });
}

if (isMainThread) {
  await main();
} else {
  const scenario = SCENARIOS[Number(workerData)];
  if (scenario !== undefined) {
    const figures = simulateScenario(scenario, scenario.runs);
    parentPort?.postMessage({ text: figuresText(figures), holds: figures.holds } satisfies Told);
  }
}
