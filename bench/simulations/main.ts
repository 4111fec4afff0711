import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { print } from '../report.ts';
import { longPlan } from './plan.ts';
import { outcomeText, simulate } from './scenario.ts';
import type { Outcome } from './scenario.ts';

/**
 * Runs every simulation of the statistics and says whether what is claimed of them holds. Each run has a seed of its own, so the figures are the
 * same on every machine, and `npm run simulate -- TEXT`, which runs the scenarios with that text in their names, gives the same ones. Exits 1 when a claim doesn't hold.
 */
async function main(): Promise<void> {
  const wanted = process.argv[2] ?? '';
  const plan = longPlan().filter(({ scenario }) => scenario.name.includes(wanted));
  const threads = Math.min(availableParallelism(), plan.length);
  print(`${cpus()[0]?.model.trim() ?? 'unknown'}, ${threads} threads, Node ${process.versions.node}`);
  print('Each rate with its exact 99 % interval (Clopper and Pearson).');
  const outcomes: (readonly Outcome[])[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: threads }, async () => {
      while (next < plan.length) {
        const index = next;
        next += 1;
        outcomes[index] = await inThread(plan[index]?.scenario.name ?? '');
        process.stderr.write(`${index + 1} of ${plan.length} done\n`);
      }
    }),
  );
  plan.forEach(({ scenario, runs }, index) => {
    print();
    print(`${scenario.name} (${runs} runs)`);
    outcomes[index]?.forEach((outcome) => {
      print(outcomeText(outcome));
    });
  });
  const broken = outcomes.flat().filter((outcome) => !outcome.holds);
  print();
  print(broken.length === 0 ? 'Every claim holds.' : `${broken.length} claims do not hold.`);
  if (broken.length > 0) process.exitCode = 1;
}

function inThread(name: string): Promise<readonly Outcome[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: name });
    worker.once('message', (outcomes: readonly Outcome[]) => {
      resolve(outcomes);
    });
    worker.once('error', reject);
  });
}

if (isMainThread) {
  await main();
} else {
  const planned = longPlan().find(({ scenario }) => scenario.name === workerData);
  if (planned !== undefined) parentPort?.postMessage(simulate(planned.scenario, planned.runs));
}
