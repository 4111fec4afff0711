import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Choice } from '../../../experiments/decision.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import type { Landed, Landings } from '../../../experiments/stores/state-store.ts';
import { StickyUnits } from '../../../gateway/sticky/sticky-units.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

const EXPERIMENT = sampleExperiment({ sticky: true });
const [V1, V2] = EXPERIMENT.variants;

function choice(hash: number, variant = V2): Choice {
  if (variant === undefined) throw new Error('the sample has two variants');
  return { kind: 'variant', experiment: EXPERIMENT, variant, reason: 'split', unit: 'ada', hash } as Choice;
}

/** A store that answers as it is told, and a clock that a test sets. */
function unitsOver(land: Landings['land'], landing: Landings['landing'] = () => Promise.resolve(undefined)) {
  const told = vi.fn(land);
  const clock = { ms: 0 };
  const warn = vi.fn();
  const units = new StickyUnits({ store: { land: told, landing }, log: { warn }, nowMs: () => clock.ms });
  const put = (hash: number): void => {
    units.put(EXPERIMENT.key, EXPERIMENT.phase, hash, 'v2');
  };
  const get = (hash: number): string | undefined => units.get(EXPERIMENT.key, EXPERIMENT.phase, hash);
  return { units, told, clock, warn, put, get };
}

const landedAt = (variant: string, isNew: boolean) => (): Promise<Landed> =>
  Promise.resolve({ variant, isNew });

describe('what the store says', () => {
  test('a unit that had landed elsewhere goes there, and is not asked for again', async () => {
    const { units, told, put, get } = unitsOver(landedAt('v1', false));
    put(7);
    expect(await units.confirm(choice(7))).toBe(true);
    expect(get(7)).toBe('v1');
    expect(units.confirm(choice(7, V1))).toBeUndefined();
    expect(told.mock.calls).toEqual([[{ experiment: 'digits-cnn', phase: 1 }, 7, 'v2', ['v1', 'v2']]]);
  });

  test('one that is new stays as it was split', async () => {
    const { units, put, get } = unitsOver(landedAt('v2', true));
    put(7);
    expect(await units.confirm(choice(7))).toBe(false);
    expect(get(7)).toBe('v2');
    expect(units.confirm(choice(7))).toBeUndefined();
  });

  test('a store that is away costs one request, is left alone for a second, and is asked by the unit’s next one', async () => {
    let isAway = true;
    const { units, told, clock, warn, put, get } = unitsOver(() =>
      isAway ? Promise.reject(new StoreUnavailable('away')) : landedAt('v1', false)(),
    );
    put(7);
    put(8);
    expect(await units.confirm(choice(7))).toBe(false);
    expect(units.confirm(choice(8))).toBeUndefined();
    expect([told.mock.calls.length, warn.mock.calls.length, get(7)]).toEqual([1, 1, 'v2']);
    isAway = false;
    clock.ms = 1000;
    expect(await units.confirm({ ...choice(7), reason: 'sticky' })).toBe(true);
    expect(get(7)).toBe('v1');
  });

  test('a store that is slow holds nobody up for long, and what it says at last is remembered', async () => {
    const slow = Promise.withResolvers<Landed>();
    const { units, put, get } = unitsOver(() => slow.promise);
    put(7);
    expect(await units.confirm(choice(7))).toBe(false);
    slow.resolve({ variant: 'v1', isNew: false });
    await eventuallyHolds(() => {
      expect(get(7)).toBe('v1');
    });
    expect(units.confirm(choice(7))).toBeUndefined();
  });

  test('a change that lets a variant’s units go lets them go here too', async () => {
    const { units, told, put, get } = unitsOver(landedAt('v2', true));
    put(7);
    await units.confirm(choice(7));
    const rolledBack = sampleExperiment({
      sticky: true,
      variants: [
        { name: 'v1', version: 1, weight: 100 },
        { name: 'v2', version: 2, weight: 0 },
      ],
    });
    units.follow([rolledBack]);
    expect(get(7)).toBeUndefined();
    expect(told).toHaveBeenCalledTimes(1);
  });
});

describe('who only asks', () => {
  const asked = ({ units }: ReturnType<typeof unitsOver>) =>
    units.asked.get(EXPERIMENT.key, EXPERIMENT.phase, 7);

  test('is told where the store knows a unit, which then is known here too', async () => {
    const sticky = unitsOver(landedAt('v2', true), () => Promise.resolve('v1'));
    expect(await sticky.units.lookUp(choice(7))).toBe(true);
    expect([asked(sticky), sticky.get(7), sticky.told.mock.calls]).toEqual(['v1', 'v1', []]);
    expect(sticky.units.lookUp({ ...choice(7, V1), reason: 'sticky' })).toBeUndefined();
  });

  test('leaves a unit that nobody knows, or that landed where nobody is kept, where it was: nowhere', async () => {
    for (const landed of [undefined, 'gone']) {
      const sticky = unitsOver(landedAt('v2', true), () => Promise.resolve(landed));
      sticky.units.asked.put(EXPERIMENT.key, EXPERIMENT.phase, 7, 'v2');
      expect(await sticky.units.lookUp(choice(7))).toBe(false);
      expect([asked(sticky), sticky.told.mock.calls]).toEqual([undefined, []]);
    }
  });

  test('is told of now’s weights where the store is away', async () => {
    const sticky = unitsOver(landedAt('v2', true), () => Promise.reject(new StoreUnavailable('away')));
    expect(await sticky.units.lookUp(choice(7))).toBe(false);
    expect(sticky.units.lookUp(choice(7))).toBeUndefined();
    expect(sticky.warn).toHaveBeenCalledTimes(1);
  });
});

const USERS = Array.from({ length: 24 }, (_, index) => `user-${index}`);

function startSticky(state: string, weights: readonly [number, number]): Promise<RunningGateway> {
  return startGateway({
    config: `state: ${JSON.stringify(state)}`,
    files: {
      'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/digits/2/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/digits.yaml': experimentFile({
        sticky: true,
        variants: weights.map((weight, index) => ({ name: `v${index + 1}`, version: index + 1, weight })),
      }),
    },
  });
}

async function ask(gateway: RunningGateway, user: string): Promise<string> {
  const response = await fetch(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    headers: { 'x-user-id': user },
    body: JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: [1] }] }),
  });
  await response.arrayBuffer();
  return `${response.headers.get('x-experiment') ?? ''} ${response.headers.get('x-experiment-reason') ?? ''}`;
}

/** One after the other: all at once, a store on a machine that is busy may be too slow for some, as it may for one. */
async function askAll(gateway: RunningGateway): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const user of USERS) answers.push(await ask(gateway, user));
  return answers;
}

const asSticky = (answers: readonly string[]): readonly string[] =>
  answers.map((answer) => answer.replace(' split', ' sticky'));

async function evaluate(gateway: RunningGateway, user: string): Promise<unknown> {
  const response = await fetch(gateway.url('/ofrep/v1/evaluate/flags/digits-cnn'), {
    method: 'POST',
    body: JSON.stringify({ context: { targetingKey: user } }),
  });
  return ((await response.json()) as { value: unknown }).value;
}

test('over a restart with other weights every unit stays where it landed, new ones follow the weights, and OFREP says the same', async () => {
  await using folder = await temporaryFolder({ README: 'state' });
  const state = `sqlite:${join(folder.path, 'state.db')}`;
  let before: readonly string[];
  {
    await using gateway = await startSticky(state, [50, 50]);
    before = await askAll(gateway);
    expect(new Set(before)).toEqual(new Set(['digits-cnn=v1 split', 'digits-cnn=v2 split']));
  }
  await using gateway = await startSticky(state, [1, 100_000]);
  // The store may be too slow for the first who asks, and is known by the next.
  for (const [index, user] of USERS.slice(0, 8).entries())
    await eventuallyHolds(async () => {
      expect(`digits-cnn=${String(await evaluate(gateway, user))} split`).toBe(before[index]);
    });
  await eventuallyHolds(async () => {
    expect(await askAll(gateway)).toEqual(asSticky(before));
  });
  expect(await ask(gateway, 'somebody-new')).toBe('digits-cnn=v2 split');
});

test('units that were only asked for with OFREP follow the weights of when they come, under which they are counted', async () => {
  await using folder = await temporaryFolder({ README: 'state' });
  const state = `sqlite:${join(folder.path, 'state.db')}`;
  {
    await using gateway = await startSticky(state, [100_000, 1]);
    expect(new Set(await Promise.all(USERS.map((user) => evaluate(gateway, user))))).toEqual(new Set(['v1']));
    expect(await ask(gateway, 'somebody')).toBe('digits-cnn=v1 split');
  }
  await using gateway = await startSticky(state, [1, 100_000]);
  expect(new Set(await askAll(gateway))).toEqual(new Set(['digits-cnn=v2 split']));
  await eventuallyHolds(async () => {
    expect(await ask(gateway, 'somebody')).toBe('digits-cnn=v1 sticky');
  });
});

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

describe.skipIf(found.kind === 'missing')('with Redis', () => {
  test('a replica whose weights differ sends a unit where another one did, and answers while Redis does not', async () => {
    await using server = await startRedis(program);
    await using one = await startSticky(server.url, [50, 50]);
    await using other = await startSticky(server.url, [1, 100_000]);
    const before = await askAll(one);
    await eventuallyHolds(async () => {
      expect(await askAll(other)).toEqual(asSticky(before));
    });
    server.freeze();
    expect(await ask(other, 'somebody-new')).toBe('digits-cnn=v2 split');
    expect(await ask(other, USERS[0] ?? '')).toBe(asSticky(before)[0]);
    server.thaw();
  });
});
