/** The serving process dies for real: of signals, and of a worker that is ended in the middle of a run. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { eventually, experimentFile } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { lingeringModel } from '../models/small-models.ts';
import { isAlive, startSupervised } from './supervised.ts';
import type { Supervised } from './supervised.ts';

/** One model twice, so that one can be held up while the other answers. */
const MODELS = { slow: lingeringModel(4), fast: lingeringModel(1) };

/** Values that hold the slow model up for about a second, for some, so that a busy machine can crash it meanwhile, and for much longer than a test takes. */
const A_SECOND = 1500;
const LONG = 2500;
const ENDLESS = 6000;

const PRELOAD = fileURLToPath(new URL('./terminate-on-signal.ts', import.meta.url));

/** A request that its model is at: how it ends, or `reset`. */
interface UnderWay {
  readonly end: Promise<number | 'reset'>;
}

async function underWay(gateway: Supervised, value: number): Promise<UnderWay> {
  const batches = () => gateway.metric('signalbox_batches_total', { model: 'slow' });
  const before = await batches();
  const end = gateway.infer('slow', value).then(
    (response) => response.status,
    () => 'reset' as const,
  );
  await eventually(async () => (await batches()) > before);
  return { end };
}

const died = (gateway: Supervised) =>
  gateway.logged('the server died and is started again').map(({ cause, running }) => ({ cause, running }));

async function outputOf(response: Response): Promise<number | undefined> {
  const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
  return outputs[0]?.data[0];
}

describe.skipIf(process.platform !== 'linux')('a crash of the serving process', { timeout: 300_000 }, () => {
  test.each([
    { what: 'of native code', signal: 'SIGSEGV', cause: 'SIGSEGV' },
    { what: 'of a worker that is ended in the middle of a run', signal: 'SIGUSR2', cause: 'SIGABRT' },
  ] as const)('$what: who comes meanwhile is answered', async ({ signal, cause }) => {
    await using gateway = await startSupervised({ models: MODELS, preload: PRELOAD });
    const { end } = await underWay(gateway, LONG);
    const crashed = await gateway.childPid();
    process.kill(crashed, signal);
    await eventually(async () => !(await isAlive(crashed)));
    const [answers, cut] = await Promise.all([
      Promise.all([2, 3, 4, 5].map(async (value) => outputOf(await gateway.infer('fast', value)))),
      end,
    ]);
    expect(answers).toEqual([2, 3, 4, 5]);
    expect(cut).toBe('reset');
    // It is started again at once, so that nobody waits for more than the start itself.
    expect(gateway.logged('the server died and is started again')).toMatchObject([
      { cause, running: 1, delayMs: 0 },
    ]);
    // Callers may be answered before the parent has written that they can be.
    await eventually(() => gateway.logged('the server is ready again').length === 1);
    const downMs = Number(gateway.logged('the server is ready again')[0]?.downMs);
    process.stdout.write(
      `${cause}: serving again after ${downMs} ms; the first start took ${gateway.startMs.toFixed(0)}\n`,
    );
    gateway.running.child.kill('SIGTERM');
    expect(await gateway.running.ended).toBe(0);
    expect(gateway.running.stdout().match(/^ready /gm)).toHaveLength(1);
  });

  test('with a file that was swapped for one that its experiment doesn’t fit: what goes on is served on', async () => {
    await using gateway = await startSupervised({
      models: { pair: identityModel('FP32', ['batch', 1]) },
      control: 'poll',
      config: 'experiments: ./experiments\n',
      files: { 'pair/2/model.onnx': identityModel('FP32', ['batch', 1]) },
      experiments: { 'pair.yaml': experimentFile({ model: 'pair' }) },
    });
    await gateway.folder.write({ 'models/pair/2/model.onnx': identityModel('FP32', ['batch', 2]) });
    await eventually(() => gateway.logged('a variant can not answer what its control answers').length === 1);
    process.kill(await gateway.childPid(), 'SIGSEGV');
    await eventually(() => gateway.logged('the server is ready again').length === 1);
    expect(died(gateway)).toEqual([{ cause: 'SIGSEGV', running: 0 }]);
    // The state is in memory: nobody but the parent knows that it was served before.
    await eventually(() => gateway.logged('a variant can not answer what its control answers').length === 2);
  });

  test('a request that was running at two crashes is refused, and no other', async () => {
    await using gateway = await startSupervised({ models: MODELS });
    for (const crash of [1, 2]) {
      const { end } = await underWay(gateway, LONG);
      process.kill(await gateway.childPid(), 'SIGSEGV');
      expect(await end).toBe('reset');
      await eventually(() => gateway.logged('the server is ready again').length === crash);
    }
    const refused = await gateway.infer('slow', LONG);
    expect([refused.status, await refused.json()]).toEqual([
      503,
      {
        error:
          'the same request was running at two crashes of the server, and is refused until ten minutes after the second one',
      },
    ]);
    expect(await outputOf(await gateway.infer('slow', 13))).toBe(13);
    // The same numbers to another model are another request.
    expect(await outputOf(await gateway.infer('fast', LONG))).toBe(LONG);
  });

  test('when every instance of a model hangs, its callers get 504, and a new process serves it again', async () => {
    await using gateway = await startSupervised({
      models: MODELS,
      config: 'timeouts: { run: 200ms }',
    });
    const hung = await gateway.infer('slow', ENDLESS);
    expect([hung.status, await hung.json()]).toEqual([
      504,
      { error: 'the model has not answered for 0.2 s' },
    ]);
    expect(await outputOf(await gateway.infer('fast', 2))).toBe(2);
    await eventually(() => gateway.logged('the server is ready again').length === 1);
    expect(died(gateway)).toEqual([{ cause: 'all instances of model slow version 1 hang', running: 1 }]);
    expect(await gateway.metric('signalbox_instances', { model: 'slow', state: 'ready' })).toBe(1);
    expect(await outputOf(await gateway.infer('fast', 3))).toBe(3);
  });
});

test.skipIf(process.platform !== 'linux')(
  'an unload of a model with a run that hangs is answered, says so, lets the model be loaded anew, and holds up no stop',
  async () => {
    await using gateway = await startSupervised({
      models: MODELS,
      control: 'explicit',
      config: 'timeouts: { run: 200ms, grace: 0s, drain: 500ms }',
    });
    const change = async (...asked: Parameters<Supervised['change']>): Promise<number> =>
      (await gateway.change(...asked)).status;
    const two = { max_batch_size: 1, instance_group: [{ count: 2 }] };
    expect([await change('slow', 'load', two), await change('fast', 'load')]).toEqual([200, 200]);
    expect((await gateway.infer('slow', ENDLESS)).status).toBe(504);

    expect(await change('slow', 'unload')).toBe(200);
    const index: unknown = await (await gateway.post('/v2/repository/index', {})).json();
    expect(index).toContainEqual({
      ...{ name: 'slow', version: '1', state: 'UNLOADING' },
      reason: 'a run of 1 of its instances goes on past its limit; its memory is freed when that ends',
    });
    expect(await gateway.metric('signalbox_instances', { model: 'slow', state: 'hung' })).toBe(1);
    expect((await gateway.infer('slow', 2)).status).toBe(404);
    expect(await outputOf(await gateway.infer('fast', 2))).toBe(2);

    expect(await change('slow', 'load')).toBe(200);
    expect(await outputOf(await gateway.infer('slow', 3))).toBe(3);
    gateway.running.child.kill('SIGTERM');
    expect(await gateway.running.ended).toBe(1);
  },
);

describe.skipIf(process.platform !== 'linux')('an end of the parent', () => {
  test('by SIGKILL leaves no orphan: what is in flight is answered, and the child ends', async () => {
    await using gateway = await startSupervised({ models: MODELS });
    const child = await gateway.childPid();
    const { end } = await underWay(gateway, A_SECOND);
    process.kill(gateway.pid, 'SIGKILL');
    expect(await end).toBe(200);
    await eventually(async () => !(await isAlive(child)));
  });

  test('by a drain deadline that passes in the middle of a run kills the child, and is 1', async () => {
    await using gateway = await startSupervised({
      models: MODELS,
      config: 'timeouts: { grace: 0s, drain: 100ms }',
    });
    const { end } = await underWay(gateway, ENDLESS);
    const child = await gateway.childPid();
    gateway.running.child.kill('SIGTERM');
    expect(await gateway.running.ended).toBe(1);
    expect(await end).toBe('reset');
    expect(await isAlive(child)).toBe(false);
    expect(gateway.logged('the drain deadline has passed with calls unanswered')).toHaveLength(1);
  });

  test('while a model loads after a crash does not wait for it', async () => {
    await using gateway = await startSupervised({ models: MODELS });
    process.kill(await gateway.childPid(), 'SIGSEGV');
    await eventually(() => died(gateway).length === 1);
    gateway.running.child.kill('SIGTERM');
    expect(await gateway.running.ended).toBe(0);
  });
});
