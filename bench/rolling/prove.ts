import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { Fleet } from './fleet.ts';
import { pause } from './nginx.ts';
import { Traffic } from './traffic.ts';
import type { StepCounts } from './traffic.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Step {
  readonly name: string;
  readonly act: (fleet: Fleet) => Promise<void>;
}

/** What an operator does in a busy week. */
export const WHOLE_PLAN: readonly Step[] = [
  { name: 'three replicas', act: async () => Promise.resolve() },
  { name: 'rolling restart', act: (fleet) => fleet.restart() },
  { name: 'scale 3 to 5', act: (fleet) => fleet.grow(2) },
  { name: 'scale 5 to 2', act: (fleet) => fleet.drain(3) },
  { name: 'kill one (SIGKILL)', act: (fleet) => fleet.killOne() },
  { name: 'replace it', act: (fleet) => fleet.grow(1) },
  { name: 'drain one (SIGTERM)', act: (fleet) => fleet.drain(1) },
];

export interface Proof {
  readonly steps: readonly (StepCounts & {
    readonly name: string;
    readonly seconds: number;
    readonly replicas: number;
  })[];
  /** What the results should have, and have: by variant, `units` and the sum of `correct`. */
  readonly expected: Sums;
  readonly found: Sums;
  /** The first few kinds of failures, in words. */
  readonly errors: readonly string[];
  readonly reloads: number;
}

type Sums = Readonly<Record<string, { readonly units: number; readonly correct: number }>>;

export interface ProofOptions {
  /** Must be there, and empty. */
  readonly folder: string;
  readonly nginx: string;
  readonly redisUrl: string;
  readonly replicas: number;
  readonly plan: readonly Step[];
  /** Requests of each step, at least: a step that is over sooner goes on until then. */
  readonly requestsPerStep: number;
  readonly users: number;
  readonly concurrency: number;
}

/** Changes a fleet of gateways behind nginx while users come, and counts what they notice. */
export async function prove(options: ProofOptions): Promise<Proof> {
  const config = await writeConfig(options.folder, options.redisUrl);
  await using fleet = await Fleet.start(
    options.nginx,
    join(options.folder, 'nginx'),
    config,
    options.replicas,
  );
  const traffic = new Traffic(fleet.nginx.port, options.users);
  traffic.start(options.concurrency);
  const steps: Proof['steps'][number][] = [];
  for (const { name, act } of options.plan) {
    const startMs = performance.now();
    await act(fleet);
    while (traffic.answered < options.requestsPerStep) await pause(20);
    const seconds = (performance.now() - startMs) / 1000;
    steps.push({ name, ...traffic.take(), seconds, replicas: fleet.size });
  }
  await traffic.stop();
  const rest = traffic.take();
  const last = steps.at(-1);
  if (last !== undefined) steps.push({ ...last, ...addCounts(steps.pop() ?? last, rest) });
  const expected = Object.fromEntries(traffic.expected);
  return {
    steps,
    expected,
    found: await foundSums(fleet, expected),
    errors: traffic.errors,
    reloads: fleet.nginx.reloads,
  };
}

function addCounts(a: StepCounts, b: StepCounts): StepCounts {
  return {
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    moved: a.moved + b.moved,
    longestMs: Math.max(a.longestMs, b.longestMs),
  };
}

async function writeConfig(folder: string, redisUrl: string): Promise<string> {
  await mkdir(join(folder, 'experiments'));
  await symlink(join(ROOT, 'demo/models'), join(folder, 'models'));
  await writeFile(
    join(folder, 'experiments/digits.yaml'),
    `key: digits
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 50 }, { name: v2, version: 2, weight: 50 }]
metrics: [{ name: correct, kind: proportion, role: goal }]
`,
  );
  const file = join(folder, 'signalbox.yaml');
  await writeFile(
    file,
    `listen: { http: 127.0.0.1:0, admin: 127.0.0.1:0 }
models: { repository: ./models }
experiments: ./experiments
state: ${redisUrl}
timeouts: { grace: 1s, drain: 30s }
telemetry: { logs: { level: error } }
`,
  );
  return file;
}

/** What the results have; they are asked again until nothing is under way any more, but not for ever. */
async function foundSums(fleet: Fleet, expected: Sums): Promise<Sums> {
  let found: Sums = {};
  for (let tries = 0; tries < 300; tries++) {
    found = await askSums(fleet.admin);
    if (isDeepStrictEqual(found, expected)) break;
    await pause(100);
  }
  return found;
}

interface Results {
  readonly variants: readonly { readonly name: string; readonly units: number }[];
  readonly metrics: readonly {
    readonly name: string;
    readonly variant: string;
    readonly estimate: number;
    readonly control: number;
  }[];
}

async function askSums(admin: string): Promise<Sums> {
  const response = await fetch(`http://${admin}/api/experiments/digits/results`);
  const { variants, metrics } = (await response.json()) as Results;
  const correct = metrics.find(({ name }) => name === 'correct');
  return Object.fromEntries(
    variants.map(({ name, units }) => {
      const rate = name === correct?.variant ? correct.estimate : (correct?.control ?? 0);
      return [name, { units, correct: Math.round(rate * units) }];
    }),
  );
}
