import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import type { NewKey } from '../../../gateway/trust/api-key.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { keysYaml } from '../keys-yaml.ts';
import { eventually, experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { askAdmin, command } from './admin-client.ts';
import { MEASURED_FILES, predict, sendOutcomes, tallies } from './predictions.ts';

const USERS = Array.from({ length: 12 }, (_, user) => `user-${user}`);

async function variantsOf(gateway: RunningGateway): Promise<ReadonlySet<string>> {
  const answers = await Promise.all(USERS.map((user) => predict(gateway, user)));
  return new Set(answers.map(({ variant }) => variant));
}

const told = async (gateway: RunningGateway) => (await askAdmin(gateway, '/api/experiments/digits-cnn')).body;

/** A gateway that promoted v2, and was stopped; another one can go on from its state. */
async function promotedAndStopped() {
  const config = 'state: sqlite:./state.db\n';
  const first = await startGateway({ admin: true, files: MEASURED_FILES, config });
  await command(first, 'promote');
  const promoted = await told(first);
  await first.server.stop();
  return {
    promoted,
    restart: (files: typeof MEASURED_FILES): Promise<RunningGateway> => {
      const state = join(first.folder.path, 'state.db');
      return startGateway({ admin: true, files, config: `state: sqlite:${state}\n` });
    },
    [Symbol.asyncDispose]: () => first[Symbol.asyncDispose](),
  };
}

describe('an experiment that is changed by hand', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());
  beforeEach(async () => {
    await command(gateway, 'resume');
  });

  test('promotion gives the variant all units at once, in answers, metrics and what the control plane tells', async () => {
    expect(await variantsOf(gateway)).toEqual(new Set(['v1', 'v2']));
    const { status, body } = await command(gateway, 'promote');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      changed: true,
      status: 'completed',
      winner: 'v2',
      variants: [
        { name: 'v1', share: 0 },
        { name: 'v2', weight: 100, share: 1 },
      ],
    });
    expect(await variantsOf(gateway)).toEqual(new Set(['v2']));
    const weight = (variant: string) => ({ experiment: 'digits-cnn', variant });
    const metrics = await gateway.metrics();
    expect(metricValue(metrics, 'signalbox_experiment_weight', weight('v2'))).toBe(1);
    expect(metricValue(metrics, 'signalbox_experiment_weight', weight('v1'))).toBe(0);
    expect(metricValue(metrics, 'signalbox_experiment_weights_version')).toBe(body.weightsVersion);
  });

  test('what is wished is told beside what is in force, with who, why and when', async () => {
    await command(gateway, 'rollback', { reason: 'v2 is slow' });
    expect(await told(gateway)).toMatchObject({
      status: 'completed',
      winner: 'v1',
      wished: { status: 'running', weights: { v1: 50, v2: 50 } },
      standing: {
        action: 'rollback',
        reason: 'v2 is slow',
        actor: { kind: 'anybody', address: '127.0.0.1' },
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
        isRecovered: false,
      },
    });
  });

  test('each command asked for again changes nothing, and says so', async () => {
    for (const action of ['promote', 'rollback', 'resume', 'pause'] as const) {
      const first = await command(gateway, action);
      const second = await command(gateway, action);
      expect([first.body.changed, second.body.changed]).toEqual([true, false]);
      expect(second).toMatchObject({ status: 200, body: { weightsVersion: first.body.weightsVersion } });
    }
  });

  test('a request that is sent again under its Idempotency-Key is taken once, whatever was done since', async () => {
    const headers = { 'idempotency-key': 'request-1' };
    const first = await command(gateway, 'promote', {}, { headers });
    await command(gateway, 'rollback');
    const again = await command(gateway, 'promote', {}, { headers });
    expect(again.body).toMatchObject({ changed: false, winner: 'v1' });
    expect(first.body).toMatchObject({ changed: true, winner: 'v2' });
    expect(await variantsOf(gateway)).toEqual(new Set(['v1']));
  });

  test('another request under a key that was taken is refused and does nothing, whatever differs', async () => {
    const headers = { 'idempotency-key': 'request-2' };
    await command(gateway, 'pause', {}, { headers });
    await command(gateway, 'resume');
    for (const other of [
      await command(gateway, 'rollback', { reason: 'EMERGENCY' }, { headers }),
      await command(gateway, 'pause', { reason: 'for another reason' }, { headers }),
      await command(gateway, 'pause', { dryRun: true }, { headers }),
    ]) {
      expect(other).toMatchObject({
        status: 422,
        body: { error: expect.stringMatching(/'request-2' was taken for another request, pause/) as string },
      });
    }
    expect(await told(gateway)).toMatchObject({ status: 'running' });
    expect((await command(gateway, 'pause', {}, { headers })).body).toMatchObject({ changed: false });
    expect(await told(gateway)).toMatchObject({ status: 'running' });
  });

  test('a request that changed nothing is remembered too, and one that only looked is not', async () => {
    const headers = { 'idempotency-key': 'request-3' };
    await command(gateway, 'pause', { dryRun: true }, { headers });
    await command(gateway, 'pause');
    const version = (await told(gateway)).weightsVersion;
    expect((await command(gateway, 'pause', {}, { headers })).body).toMatchObject({ changed: false });
    expect((await told(gateway)).weightsVersion).toBe(version);
    await command(gateway, 'resume');
    expect((await command(gateway, 'pause', {}, { headers })).body).toMatchObject({ changed: false });
    expect(await told(gateway)).toMatchObject({ status: 'running' });
  });

  test('while it is paused all get the control and nothing counts; then it goes on as it was', async () => {
    await command(gateway, 'pause');
    expect(await predict(gateway, 'ada')).toMatchObject({ variant: 'v1', reason: 'default' });
    await command(gateway, 'resume');
    expect(await variantsOf(gateway)).toEqual(new Set(['v1', 'v2']));
  });

  test('a dry run tells what would be, and changes nothing', async () => {
    const before = await told(gateway);
    const { body } = await command(gateway, 'promote', { dryRun: true });
    expect(body).toMatchObject({
      dryRun: true,
      changed: true,
      winner: 'v2',
      variants: [{ share: 0 }, { share: 1 }],
    });
    expect(await told(gateway)).toEqual(before);
  });

  test('one that was decided on an earlier version is refused, and does nothing', async () => {
    const { body: seen } = await command(gateway, 'pause');
    const weightsVersion = seen.weightsVersion;
    await command(gateway, 'resume');
    const before = await told(gateway);
    const stale = await askAdmin(gateway, '/api/experiments/digits-cnn/promote', {
      body: { reason: 'it is better', weightsVersion },
    });
    expect(stale).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining('digits-cnn was changed meanwhile') as string },
    });
    expect(await told(gateway)).toEqual(before);
    const now = await command(gateway, 'promote', { weightsVersion: before.weightsVersion });
    expect(now).toMatchObject({ status: 200, body: { changed: true, winner: 'v2' } });
  });

  test.each([
    ['a version that is none', { reason: 'x', weightsVersion: '4' }, 'weightsVersion is no whole number'],
    ['no reason', {}, 'reason is missing'],
    ['an empty reason', { reason: ' ' }, 'reason is empty'],
    ['a reason that would act on a terminal', { reason: 'a\u001b[2Jb' }, 'the control character U+001B'],
    ['a reason of two lines', { reason: 'slow\u2028all good' }, 'the control character U+2028'],
    ['a reason that reads backwards', { reason: 'v2 \u202edoog si' }, 'the control character U+202E'],
    ['a reason with a hidden mark', { reason: 'v2\u061c is slow' }, 'the control character U+061C'],
    ['half a character', { reason: 'v2 \ud83d' }, 'the control character U+D83D'],
    ['an endless reason', { reason: 'x'.repeat(501) }, '501 characters; expected 500 at most'],
    ['a key that is not known', { reason: 'x', force: true }, 'force is an unknown key'],
    ['full that is no boolean', { reason: 'x', full: 'yes' }, 'expected true or false'],
    ['a variant that is not there', { reason: 'x', variant: 'v9' }, 'its variants are v1, v2'],
    ['no JSON', 'promote!', 'failed to parse'],
    ['a list', [], 'expected an object'],
  ])('a promotion with %s is a 400 that says what would be right', async (_, body, message) => {
    const before = await told(gateway);
    const answer = await askAdmin(gateway, '/api/experiments/digits-cnn/promote', { body });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(message) as string },
    });
    expect(await told(gateway)).toEqual(before);
  });

  test('what its state does not allow is a 409, an experiment that is not there a 404', async () => {
    await command(gateway, 'promote');
    expect(await command(gateway, 'pause')).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining('there is nothing to pause') as string },
    });
    const body = { reason: 'x', full: true };
    expect(await askAdmin(gateway, '/api/experiments/digits-cnn/rollback', { body })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('full goes with promote') as string },
    });
    expect(await askAdmin(gateway, '/api/experiments/nope/promote', { body })).toMatchObject({ status: 404 });
  });

  test('many people at once: one of them changes it, and versions count every change', async () => {
    const before = Number((await told(gateway)).weightsVersion);
    const answers = await Promise.all(Array.from({ length: 10 }, () => command(gateway, 'promote')));
    expect(answers.filter(({ body }) => body.changed === true)).toHaveLength(1);
    expect(Number((await told(gateway)).weightsVersion)).toBe(before + 1);
  });

  test('the audit log has each change with what stood before and after, in pages both ways', async () => {
    const start = Number((await askAdmin(gateway, '/api/audit?limit=1')).body.next);
    for (const action of ['promote', 'rollback', 'resume'] as const) await command(gateway, action);
    const { body } = await askAdmin(gateway, `/api/audit?after=${start}&experiment=digits-cnn`);
    expect(body.entries).toMatchObject([
      {
        sequence: start + 1,
        action: 'promote',
        experiment: 'digits-cnn',
        model: 'digits',
        reason: 'a test asks for promote',
        actor: { kind: 'anybody', address: '127.0.0.1' },
        before: { status: 'running', weights: { v1: 50, v2: 50 } },
        after: { status: 'completed', weights: { v1: 0, v2: 100 }, winner: 'v2' },
      },
      { action: 'rollback', before: { winner: 'v2' }, after: { winner: 'v1' } },
      { action: 'resume', after: { status: 'running' } },
    ]);
    expect(body).toMatchObject({ previous: start + 1, next: start + 3 });
    const last = await askAdmin(gateway, '/api/audit?limit=2');
    expect(last.body).toMatchObject({
      entries: [{ action: 'rollback' }, { action: 'resume' }],
      previous: start + 2,
      next: start + 3,
    });
    const earlier = await askAdmin(gateway, `/api/audit?limit=1&before=${start + 2}`);
    expect(earlier.body.entries).toMatchObject([{ action: 'promote' }]);
    expect((await askAdmin(gateway, '/api/audit?experiment=other')).body.entries).toEqual([]);
    expect((await askAdmin(gateway, '/api/audit?limit=0')).status).toBe(400);
    expect((await askAdmin(gateway, '/api/audit?after=1&before=2')).status).toBe(400);
  });
});

test('prediction ids, epochs and sums agree with the weights in force, before and after a change', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  const before = await Promise.all(USERS.map((user) => predict(gateway, user)));
  await command(gateway, 'promote');
  await command(gateway, 'resume');
  const after = await Promise.all(USERS.map((user) => predict(gateway, user)));
  // The same weights: the same split, and the same epoch.
  expect(after.map(({ variant }) => variant)).toEqual(before.map(({ variant }) => variant));
  const sent = after.map(({ id }) => ({ prediction_id: id, metric: 'correct', value: 1 }));
  expect((await sendOutcomes(gateway, sent)).body).toMatchObject({ accepted: USERS.length });
  const { epochs } = await tallies(gateway);
  const counting = epochs.filter(({ variants }) => Object.values(variants).some(({ units }) => units > 0));
  expect(counting).toMatchObject([{ split: { weights: { v1: 50, v2: 50 } } }]);
  const [tally] = counting;
  expect((tally?.variants.v1?.units ?? 0) + (tally?.variants.v2?.units ?? 0)).toBe(USERS.length);
});

test('what was set by hand holds over a restart while the file is unchanged; an edited file starts from its own weights', async () => {
  await using first = await promotedAndStopped();
  const { promoted } = first;

  await using second = await first.restart(MEASURED_FILES);
  expect(await told(second)).toEqual(promoted);
  expect(await variantsOf(second)).toEqual(new Set(['v2']));

  const edited = String(MEASURED_FILES['experiments/digits.yaml']).replaceAll('"weight": 50', '"weight": 25');
  await writeFile(join(second.folder.path, 'experiments/digits.yaml'), edited);
  await eventually(async () => (await told(second)).status === 'running');
  expect(await told(second)).toMatchObject({
    weightsVersion: Number(promoted.weightsVersion) + 1,
    variants: [{ weight: 25 }, { weight: 25 }],
    standing: { action: 'edit', actor: { kind: 'file' } },
  });
  // An edit is in force before the store has it.
  await eventuallyHolds(async () => {
    const { body } = await askAdmin(second, '/api/audit');
    const actions = (body.entries as { action: string }[]).map(({ action }) => action);
    expect(actions).toEqual(['create', 'promote', 'edit']);
  });
});

test('an edit that is made while the gateway is down starts from the file’s own weights too', async () => {
  await using first = await promotedAndStopped();
  const edited = String(MEASURED_FILES['experiments/digits.yaml']).replace('"weight": 50', '"weight": 150');
  const files = { ...MEASURED_FILES, 'experiments/digits.yaml': edited };
  await using second = await first.restart(files);
  expect(await told(second)).toMatchObject({
    weightsVersion: 3,
    status: 'running',
    variants: [{ share: 0.75 }, {}],
  });
});

test('an edit that a running experiment can’t follow is refused where it was made while the gateway was down, too, until it begins a phase', async () => {
  await using first = await promotedAndStopped();
  const { promoted } = first;
  const text = String(MEASURED_FILES['experiments/digits.yaml']);
  const edited = (more: string): string =>
    text.replace('"version": 2', '"version": 1').replace('{', `{ "hashAttribute": "x-session", ${more}`);
  const files = { ...MEASURED_FILES, 'experiments/digits.yaml': edited('') };
  await using second = await first.restart(files);
  expect(await told(second)).toEqual(promoted);
  const problems = (): string => second.log.filter((line) => line.includes('needs a new phase')).join('');
  await eventually(() => problems() !== '');
  expect(problems()).toMatch(
    /hashAttribute: changed, which needs a new phase: the units are others; write phase: 2/,
  );
  expect(problems()).toMatch(/v2 would be version 1 under the results of version 2/);
  await second.folder.write({ 'experiments/digits.yaml': edited('"phase": 2, ') });
  await eventually(async () => (await told(second)).status === 'running');
  expect(await told(second)).toMatchObject({ weightsVersion: Number(promoted.weightsVersion) + 1, phase: 2 });
});

test('a variant whose version is not ready is not promoted, and a rollback goes through whatever is ready', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: { ...MEASURED_FILES, 'models/digits/2/model.onnx': 'no model' },
  });
  expect(await command(gateway, 'promote')).toMatchObject({
    status: 409,
    body: { error: expect.stringMatching(/version 2 of model 'digits' is not ready: .*/) as string },
  });
  expect((await command(gateway, 'rollback')).body).toMatchObject({ changed: true, winner: 'v1' });
});

test('an earlier experiment of the model that is completed keeps nobody from rolling back', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: {
      ...MEASURED_FILES,
      'experiments/earlier.yaml': experimentFile({ key: 'earlier', status: 'completed', winner: 'v2' }),
    },
  });
  expect((await command(gateway, 'rollback')).body).toMatchObject({ changed: true, winner: 'v1' });
  expect(await variantsOf(gateway)).toEqual(new Set(['v1']));
});

describe('with keys', () => {
  const keys = { reader: createKey(), writer: createKey(), other: createKey() };
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      admin: true,
      config: `auth: { keys: ./keys.yaml }\n`,
      files: {
        ...MEASURED_FILES,
        'keys.yaml': keysYaml(
          [keys.reader, 'scopes: ["admin:read"]'],
          [keys.writer, 'name: on call, scopes: ["admin:write", "admin:read"]'],
          [keys.other, 'scopes: ["admin:write", "admin:read"], models: [other]'],
        ),
      },
    });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test.each(['promote', 'pause', 'resume', 'rollback'] as const)(
    '%s needs the scope admin:write, and the experiment’s model',
    async (action) => {
      const statusOf = async (key?: NewKey) => (await command(gateway, action, {}, key && { key })).status;
      expect(await statusOf()).toBe(401);
      expect(await statusOf(keys.reader)).toBe(403);
      expect(await statusOf(keys.other)).toBe(404);
    },
  );

  test('the audit log names the key and its address, never the key itself; other models’ keys don’t see it', async () => {
    await command(gateway, 'promote', {}, { key: keys.writer });
    const { body } = await askAdmin(gateway, '/api/audit', { key: keys.reader });
    const entries = body.entries as readonly unknown[];
    expect(entries.at(-1)).toMatchObject({
      actor: { kind: 'key', id: keys.writer.id, name: 'on call', address: '127.0.0.1' },
    });
    expect(JSON.stringify(body)).not.toContain(keys.writer.text);
    expect(JSON.stringify(body)).not.toContain(keys.writer.hash);
    expect((await askAdmin(gateway, '/api/audit', { key: keys.other })).body.entries).toEqual([]);
    expect((await askAdmin(gateway, '/api/audit')).status).toBe(401);
  });
});
