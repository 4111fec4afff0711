import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { rightClassifier } from '../../test/models/classifiers.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';
import { seededRandom } from '../simulations/random.ts';
import type { KillMessage } from './kill-server.ts';

export interface KillsResult {
  readonly kills: number;
  /** Steps of rollouts that the audit log has. */
  readonly steps: number;
  /** Rollouts that reached everybody. */
  readonly finished: number;
  /** What was not as it should be. */
  readonly problems: readonly string[];
}

/** Longer than this no process lives after it serves. */
const LONGEST_LIFE_MS = 1500;

const STEPS = Array.from({ length: 30 }, (_, index) => [
  { setWeight: index + 1 },
  { pause: { duration: '40ms' } },
]).flat();

/**
 * Kills a gateway with SIGKILL at random moments of a rollout, again and again, and looks after each death at what it has left: whether the history is
 * whole, each entry beginning where the one before ended, and whether all that was in force is in the store. A rollout that is over is followed by
 * one of the next phase.
 */
export async function killRollouts(kills: number, seed = 20261125): Promise<KillsResult> {
  const random = seededRandom(seed);
  let phase = 1;
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models, control: none }\nexperiments: ./experiments\nstate: sqlite:./state.db\n',
    'models/classes/1/model.onnx': rightClassifier(),
    'models/classes/2/model.onnx': rightClassifier(),
    'experiments/classes.yaml': experimentFile(phase),
  });
  const problems: string[] = [];
  let finished = 0;
  let killed = 0;
  let last: Left = { version: 0, action: '', steps: 0, problems: [] };
  // On a busy machine processes may die before the rollout has begun, and then there is nothing yet to be seen.
  for (; killed < kills || last.steps === 0; killed += 1) {
    const inForce = await liveAndDie(join(folder.path, 'signalbox.yaml'), LONGEST_LIFE_MS * random());
    const left = leftBy(join(folder.path, 'state.db'));
    problems.push(...left.problems.map((problem) => `after death ${killed + 1}: ${problem}`));
    if (left.version < inForce)
      problems.push(`version ${inForce} was in force, and the store has ${left.version}`);
    if (left.version < last.version || left.steps < last.steps)
      problems.push(`death ${killed + 1} took something back`);
    last = left;
    if (left.action === 'rollout.succeeded') {
      finished += 1;
      phase += 1;
      await folder.write({ 'experiments/classes.yaml': experimentFile(phase) });
    }
  }
  return { kills: killed, steps: last.steps, finished, problems };
}

function experimentFile(phase: number): string {
  return JSON.stringify({
    key: 'classes',
    model: 'classes',
    status: 'running',
    phase,
    control: 'v1',
    variants: [
      { name: 'v1', version: 1, weight: 100 },
      { name: 'v2', version: 2, weight: 0 },
    ],
    rollout: { interval: '100ms', steps: STEPS },
  });
}

/** @returns the highest version that it told to be in force */
async function liveAndDie(file: string, lifeMs: number): Promise<number> {
  const child = fork(fileURLToPath(new URL('./kill-server.ts', import.meta.url)));
  const exited = once(child, 'exit');
  let inForce = 0;
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message: KillMessage) => {
      if (message.kind === 'ready') resolve();
      else inForce = Math.max(inForce, message.version);
    });
  });
  child.send(file);
  await Promise.race([ready, exited.then(() => Promise.reject(new Error('the gateway ended by itself')))]);
  await new Promise((resolve) => setTimeout(resolve, lifeMs));
  child.kill('SIGKILL');
  await exited;
  return inForce;
}

interface Left {
  readonly version: number;
  /** Of the last entry. */
  readonly action: string;
  readonly steps: number;
  readonly problems: readonly string[];
}

interface Entry {
  readonly action: string;
  readonly reason: string;
  readonly before: { readonly version: number } | null;
  readonly after: { readonly version: number; readonly rollout: unknown };
}

/** What is in the file of a process that is dead. */
function leftBy(file: string): Left {
  const database = new DatabaseSync(file);
  const read = (sql: string): readonly string[] =>
    database
      .prepare(sql)
      .all()
      .map(({ json }) => String(json));
  const entries = read('SELECT json FROM audit ORDER BY sequence').map((json) => JSON.parse(json) as Entry);
  const [text = '{}'] = read("SELECT json FROM document WHERE key = 'standing:classes'");
  database.close();
  const standing = JSON.parse(text) as { version?: number; split?: { rollout: unknown } };
  const problems: string[] = [];
  entries.forEach((entry, index) => {
    const previous = entries[index - 1]?.after ?? null;
    if (!isDeepStrictEqual(entry.before, previous))
      problems.push(`entry ${index + 1} doesn't begin where the one before ended`);
    if (entry.after.version !== index + 1)
      problems.push(`entry ${index + 1} is of version ${entry.after.version}`);
    if (entry.reason === '') problems.push(`entry ${index + 1} has no cause`);
  });
  const last = entries.at(-1);
  if (
    last !== undefined &&
    !isDeepStrictEqual([last.after.version, last.after.rollout], [standing.version, standing.split?.rollout])
  )
    problems.push('the standing is not what the last entry says');
  return {
    version: standing.version ?? 0,
    action: last?.action ?? '',
    steps: entries.filter(({ action }) => action.startsWith('rollout.')).length,
    problems,
  };
}
