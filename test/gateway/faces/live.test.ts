import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import type { NewKey } from '../../../gateway/trust/api-key.ts';
import { keysYaml } from '../keys-yaml.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { EventReader } from './event-reader.ts';
import { MEASURED_FILES, predict } from './predictions.ts';

const keys = { reader: createKey(), writer: createKey(), other: createKey() };

function keysFile(names: readonly (keyof typeof keys)[]): string {
  const scopes = {
    reader: 'scopes: ["admin:read"]',
    writer: 'scopes: ["admin:write", infer]',
    other: 'scopes: ["admin:read"], models: [other]',
  };
  return keysYaml(...names.map((name) => [keys[name], scopes[name]] as const));
}

/** The clock of what is done at intervals stands still until it is set forward. */
function holdIntervals(): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
}

afterEach(() => {
  vi.useRealTimers();
});

const BEAT_MS = 15_000;

function events(
  gateway: RunningGateway,
  { key, experiment = '' }: { key?: NewKey; experiment?: string } = {},
) {
  const url = `http://${gateway.server.bound.admin ?? ''}/api/events?experiment=${experiment}`;
  return EventReader.open(url, key === undefined ? {} : { authorization: `Bearer ${key.text}` });
}

describe('live events', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test('begin with who is asking, and what there is', async () => {
    await using reader = await events(gateway);
    expect(reader.contentType).toBe('text/event-stream; charset=utf-8');
    expect(await reader.next('hello')).toMatchObject({
      release: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      caller: { id: '', isOpen: true, models: null },
    });
    expect(await reader.next('experiments')).toMatchObject({
      data: [{ key: 'digits-cnn', model: 'digits', variants: [{ name: 'v1', share: 0.5 }, { name: 'v2' }] }],
    });
    expect(await reader.next('models')).toMatchObject({
      data: [{ name: 'digits', versions: [{ version: 1, batching: { maxBatchSize: 32 } }, { version: 2 }] }],
    });
  });

  test('tell what an experiment says as its traffic flows, and nothing twice', async () => {
    await using reader = await events(gateway, { experiment: 'digits-cnn' });
    const unitsIn = (event: unknown): number =>
      (event as { data: { variants: { units: number }[] } }).data.variants.reduce(
        (sum, { units }) => sum + units,
        0,
      );
    const first = unitsIn(await reader.next('results'));
    await Promise.all(Array.from({ length: 5 }, (_, user) => predict(gateway, `live-${user}`)));
    let units = first;
    while (units < first + 5) {
      const next = unitsIn(await reader.next('results'));
      expect(next).toBeGreaterThan(units);
      units = next;
    }
    expect(units).toBe(first + 5);
  });

  test('what nobody asked for, or isn’t there, is left out', async () => {
    await using reader = await events(gateway, { experiment: 'other' });
    await reader.next('models');
    expect(reader.seen('results')).toBe(false);
  });

  test('there are as many streams as are kept, and one more when one was closed', async () => {
    const readers: EventReader[] = [];
    try {
      for (let count = 0; count < 64; count++) readers.push(await events(gateway));
      const refused = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/events`);
      expect({ status: refused.status, body: await refused.json() }).toEqual({
        status: 503,
        body: { error: '64 streams of events are open, and no more are kept; close one' },
      });
      await readers.pop()?.[Symbol.asyncDispose]();
      await eventually(async () => {
        const again = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/events`);
        await again.body?.cancel();
        return again.status === 200;
      });
    } finally {
      await Promise.all(readers.map((reader) => reader[Symbol.asyncDispose]()));
    }
  });
});

test('a gateway that stops ends its streams, and waits for none of them', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  await using reader = await events(gateway);
  await reader.next('hello');
  expect(await gateway.server.stop()).toBe(true);
  await reader.ended;
  expect(reader.seen('stopping')).toBe(true);
});

test('a sign of life comes at even distances though nothing changes, as often as the first event says', async () => {
  holdIntervals();
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  await using reader = await events(gateway);
  expect(await reader.next('hello')).toMatchObject({ beatMs: BEAT_MS });
  for (const beats of [1, 2]) {
    vi.advanceTimersByTime(BEAT_MS);
    await eventually(() => reader.beats === beats);
  }
  vi.advanceTimersByTime(BEAT_MS - 1);
  await predict(gateway, 'ada');
  expect(reader.beats).toBe(2);
});

test('a stream ends at the next sign of life when its key was revoked', async () => {
  holdIntervals();
  await using gateway = await startWithKeys();
  await using reader = await events(gateway, { key: keys.other });
  await using stays = await events(gateway, { key: keys.reader });
  await reader.next('hello');
  await stays.next('hello');
  await gateway.folder.write({ 'keys.yaml': keysFile(['reader', 'writer']) });
  await eventually(async () => {
    const headers = { authorization: `Bearer ${keys.other.text}` };
    const answer = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/experiments`, { headers });
    return answer.status === 401;
  });
  vi.advanceTimersByTime(BEAT_MS);
  await reader.ended;
  await eventually(() => stays.beats === 1);
});

function startWithKeys(): Promise<RunningGateway> {
  return startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }',
    files: { ...MEASURED_FILES, 'keys.yaml': keysFile(['reader', 'writer', 'other']) },
  });
}

describe('with keys', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startWithKeys();
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test('a key that may not read gets no events', async () => {
    const status = async (headers: Record<string, string>) => {
      const response = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/events`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    expect(await status({})).toBe(401);
    expect(await status({ 'x-api-key': keys.writer.text })).toBe(403);
    expect(await status({ 'x-api-key': keys.reader.text })).toBe(200);
  });

  test('a key for other models is told nothing of these', async () => {
    await using reader = await events(gateway, { key: keys.other, experiment: 'digits-cnn' });
    expect(await reader.next('hello')).toMatchObject({
      caller: { id: keys.other.id, isOpen: false, scopes: ['admin:read'], models: ['other'] },
    });
    expect(await reader.next('experiments')).toEqual({ data: [] });
    expect(await reader.next('models')).toEqual({ data: [] });
    expect(reader.seen('results')).toBe(false);
  });
});
