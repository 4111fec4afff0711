import { describe, expect, test } from 'vitest';
import { RepositoryError } from '../../../backends/repository/repository-error.ts';
import { addingModel, slowModel } from '../../models/small-models.ts';
import { addendOf, openRepository } from './open-repository.ts';
import type { OpenedRepository } from './open-repository.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

const TWO_MODELS = {
  'm/1/model.onnx': addingModel(1),
  'm/2/model.onnx': addingModel(2),
  'n/1/model.onnx': addingModel(3),
  'broken/1/model.onnx': 'not an ONNX model',
};

function statesIn({ repository }: OpenedRepository): readonly string[] {
  return repository
    .index()
    .map(({ name, version, state, reason }) => `${name}/${version} ${state} ${reason}`.trimEnd());
}

describe('with explicit control', () => {
  test('nothing is loaded at the start, and the index says what could be', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit' });
    expect(opened.repository.models).toEqual([]);
    expect(statesIn(opened)).toEqual([
      'broken/1 UNAVAILABLE unloaded',
      'm/1 UNAVAILABLE unloaded',
      'm/2 UNAVAILABLE unloaded',
      'n/1 UNAVAILABLE unloaded',
    ]);
  });

  test('the models that are named are loaded at the start, and a name that no repository has is told of', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit', load: ['n', 'gone'] });
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['n']);
    expect(await addendOf(opened.ready('n', 1))).toBe(3);
    expect(opened.events.onFolder).toHaveBeenCalledWith(
      'gone',
      'models.load names it, but no repository has a model of that name',
    );
  });

  test('a star loads all of them', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit', load: ['*'] });
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['broken', 'm', 'n']);
  });

  test('a load resolves when every version takes traffic, and an unload when its memory is free', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit' });
    await opened.repository.load('m');
    expect(await Promise.all([1, 2].map((version) => addendOf(opened.ready('m', version))))).toEqual([1, 2]);
    const version = opened.ready('m', 1);
    const release = version.hold();
    let isUnloaded = false;
    const unloaded = opened.repository.unload('m').then(() => {
      isUnloaded = true;
    });
    await eventuallyHolds(() => {
      expect(opened.repository.model('m')).toBeUndefined();
    });
    expect(opened.stateOf('m', 1)).toBe('UNLOADING');
    expect(await addendOf(version)).toBe(1);
    expect(isUnloaded).toBe(false);
    release();
    await unloaded;
    expect(opened.stateOf('m', 1)).toBe('UNAVAILABLE unloaded');
    await expect(addendOf(version)).rejects.toMatchObject({ fault: 'unavailable' });
  });

  test('what changes in the folders waits for a load, which reads it as it is', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit', load: ['n'] });
    await opened.root.write({ 'n/1/model.onnx': addingModel(30), 'new/1/model.onnx': addingModel(5) });
    await opened.repository.refresh();
    await opened.repository.refresh();
    expect(await addendOf(opened.ready('n', 1))).toBe(3);
    expect(opened.stateOf('new', 1)).toBe('UNAVAILABLE unloaded');
    await opened.repository.load('n');
    expect(await addendOf(opened.ready('n', 1))).toBe(30);
  });

  test('a load of what is loaded and has not changed does nothing', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit', load: ['n'] });
    const before = opened.ready('n', 1);
    await opened.repository.load('n');
    expect(opened.ready('n', 1)).toBe(before);
  });

  test('a load may bring a configuration, which holds until the next one', async () => {
    await using opened = await openRepository(
      { ...TWO_MODELS, 'm/config.pbtxt': 'max_batch_size: 8' },
      { control: 'explicit' },
    );
    await opened.repository.load('m', {
      config: '{"max_batch_size": 4, "version_policy": {"specific": {"versions": [2]}}}',
    });
    expect(opened.ready('m', 2).about.maxBatchSize).toBe(4);
    expect(opened.repository.model('m')?.versions).toEqual([2]);
    await opened.repository.refresh();
    expect(opened.ready('m', 2).about.maxBatchSize).toBe(4);
    await opened.repository.load('m');
    expect(opened.repository.model('m')?.ready.map(({ about }) => about.maxBatchSize)).toEqual([8, 8]);
  });

  test('a configuration may come as protocol buffers write JSON, as clients are told it over gRPC: 64-bit numbers in strings', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit' });
    const dims = { dims: ['2'], data_type: 'TYPE_FP32' };
    const config = {
      version_policy: { specific: { versions: ['2'] } },
      max_batch_size: 4,
      input: [{ name: 'INPUT', ...dims }],
      output: [{ name: 'OUTPUT', ...dims }],
      dynamic_batching: {
        max_queue_delay_microseconds: '700',
        priority_levels: '1',
        default_priority_level: '1',
        priority_queue_policy: { '1': { default_timeout_microseconds: '5000000' } },
      },
    };
    await opened.repository.load('m', { config: JSON.stringify(config) });
    expect(opened.repository.model('m')?.versions).toEqual([2]);
    expect(opened.ready('m', 2).about.config.batching.maxQueueDelayMs).toBe(0.7);
    await expect(opened.repository.load('m', { config: '{"max_batch_size": "four"}' })).rejects.toThrow(
      'max_batch_size: is "four"; expected a whole number',
    );
    await expect(opened.repository.load('m', { config: '{"name": "7"}' })).rejects.toThrow(
      "expected the name of the model's folder",
    );
  });

  test('a load that fails says so as Triton does, with the reason, and what served goes on', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit', load: ['n'] });
    const { repository } = opened;
    const reasonOf = (loading: Promise<void>): Promise<unknown> =>
      loading.catch((error: unknown) =>
        error instanceof RepositoryError ? [error.fault, error.message] : error,
      );
    expect(await reasonOf(repository.load('nobody'))).toEqual([
      'failed',
      `failed to load 'nobody', failed to poll from model repository`,
    ]);
    expect(await reasonOf(repository.load('broken'))).toEqual([
      'failed',
      expect.stringMatching(/^failed to load 'broken', version 1: failed to load .*broken\/1\/model\.onnx: /),
    ]);
    expect(await reasonOf(repository.load('n', { config: '{"max_batch_size": -1}' }))).toEqual([
      'invalid',
      expect.stringMatching(
        /^failed to load 'n', version 1: configuration of the load of n:1:20: max_batch_size: is -1; expected /,
      ),
    ]);
    expect(await addendOf(opened.ready('n', 1))).toBe(3);
    expect(opened.stateOf('n', 1)).toMatch(/^READY configuration of the load of n:1:20/);
    expect(await reasonOf(repository.unload('m'))).toEqual([
      'failed',
      `failed to unload 'm', it is not loaded`,
    ]);
  });

  test('a load that failed is tried again by the next one, though nobody has changed the files', async () => {
    // Shorter than any run of the model, as on a machine that is far too busy.
    let warmupLimitMs = 1;
    const faults = {
      get warmupLimitMs() {
        return warmupLimitMs;
      },
    };
    await using opened = await openRepository(
      { 'slow/1/model.onnx': slowModel(300, 60) },
      { control: 'explicit', machine: { faults } },
    );
    await expect(opened.repository.load('slow')).rejects.toThrow(/has not answered a run over zeros/);
    warmupLimitMs = 60_000;
    await opened.repository.load('slow');
    expect(opened.stateOf('slow', 1)).toBe('READY');
  });

  test('a load says what is wrong with itself, and nothing of one before it', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit', load: ['m'] });
    const load = (config: object) => opened.repository.load('m', { config: JSON.stringify(config) });
    await expect(load({ name: 'other' })).rejects.toThrow(/expected the name of the model's folder/);
    expect(opened.stateOf('m', 2)).toMatch(/^READY .*expected the name of the model's folder/);
    await expect(load({ version_policy: { specific: { versions: [7] } } })).rejects.toThrow(
      "failed to load 'm', version 7: version_policy names it, but there is no folder 7",
    );
    expect(opened.stateOf('m', 2)).toBe('READY');
    expect(await addendOf(opened.ready('m', 2))).toBe(2);
  });

  test('loads and unloads of one model at the same time happen one after the other', async () => {
    await using opened = await openRepository(TWO_MODELS, { control: 'explicit' });
    const { repository } = opened;
    await Promise.all([
      repository.load('m'),
      repository.load('m'),
      repository.unload('m'),
      repository.load('m'),
    ]);
    expect(repository.model('m')?.ready.map(({ about }) => about.version)).toEqual([1, 2]);
    expect(opened.events.onVersion.mock.calls.map(([, version, state]) => `${version} ${state}`)).toEqual([
      '1 ready',
      '2 ready',
      '1 unloaded',
      '2 unloaded',
      '1 ready',
      '2 ready',
    ]);
  });
});

test.each(['none', 'poll'] as const)(
  'with control %s a load or unload is refused as Triton does',
  async (control) => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) }, { control });
    for (const asked of [opened.repository.load('m'), opened.repository.unload('m')]) {
      await expect(asked).rejects.toMatchObject({
        fault: 'not_allowed',
        message:
          'explicit model load / unload is not allowed if polling is enabled; set models.control: explicit',
      });
    }
    expect(await addendOf(opened.ready('m', 1))).toBe(1);
  },
);
