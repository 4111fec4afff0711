import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pino } from 'pino';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import type { Fence } from '../../../experiments/stores/state-store.ts';
import { auditRecord } from '../../../experiments/standing/audit-record.ts';
import { WebhookQueue } from '../../../gateway/audit/webhook-queue.ts';
import type { DeliveryResult } from '../../../gateway/audit/webhook-queue.ts';
import type { WebhookConfig } from '../../../gateway/config/webhook-config.ts';
import { standingOf, written } from '../../experiments/standing/samples.ts';
import { startReceiver } from '../../servers/webhook-receiver.ts';
import type { WebhookReceiver } from '../../servers/webhook-receiver.ts';
import { command } from '../faces/admin-client.ts';
import { MEASURED_FILES, predict } from '../faces/predictions.ts';
import { eventually, metricValue, startGateway } from '../running-gateway.ts';

const SECRET = 'a secret of a test, long enough';

describe('a webhook', () => {
  let receiver: WebhookReceiver;
  let store: MemoryStore;
  let fence: Fence | undefined;
  let looksAtFence = 0;
  const results: DeliveryResult[] = [];
  const queues: WebhookQueue[] = [];

  beforeEach(async () => {
    receiver = await startReceiver();
    store = new MemoryStore();
    const lease = await store.acquireLease('webhooks', 'test', 60_000);
    fence = { lease: 'webhooks', holder: 'test', token: lease?.token ?? 0 };
    results.length = 0;
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((queue) => queue.stop()));
    await receiver[Symbol.asyncDispose]();
  });

  const queueOf = (changes: Partial<WebhookConfig> = {}): WebhookQueue => {
    const queue = new WebhookQueue({
      webhook: {
        name: 'ops',
        url: receiver.url,
        type: 'generic',
        secret: SECRET,
        events: undefined,
        timeoutMs: 5000,
        ...changes,
      },
      store,
      fence: () => {
        looksAtFence += 1;
        return fence;
      },
      onResult: (result) => results.push(result),
      log: pino({ level: 'silent' }),
      firstRetryMs: 1,
    });
    queues.push(queue);
    return queue;
  };
  const happens = (action: string): Promise<number> => {
    const after = standingOf(written());
    return store.appendAudit(
      auditRecord('digits', undefined, { ...after, cause: { ...after.cause, action, reason: '<b> & co' } }),
    );
  };
  /** A queue that knows where the log ended when it was configured. */
  const started = async (changes: Partial<WebhookConfig> = {}): Promise<WebhookQueue> => {
    const queue = queueOf(changes);
    queue.wake();
    await eventually(async () => (await store.readDocument('webhook:ops')) !== undefined);
    return queue;
  };
  /** The number of the last entry that is kept as told. */
  const toldUpTo = async (): Promise<number> =>
    ((await store.readDocument('webhook:ops'))?.value as { sequence: number }).sequence;
  const events = (): readonly unknown[] =>
    receiver.received.map(({ headers }) => headers['x-signalbox-event']);

  test('is posted each entry of the audit log in order, with its event, a name of its own and a signature', async () => {
    const queue = await started();
    for (const action of ['promote', 'rollback', 'resume']) await happens(action);
    queue.wake();
    await eventually(() => receiver.received.length === 3);
    expect(events()).toEqual(['promote', 'rollback', 'resume']);
    const deliveries = receiver.received.map(({ headers }) => headers['x-signalbox-delivery']);
    expect(new Set(deliveries).size).toBe(3);
    const [first] = receiver.received;
    expect(first?.headers['x-signalbox-signature-256']).toBe(
      `sha256=${createHmac('sha256', SECRET)
        .update(first?.body ?? '')
        .digest('hex')}`,
    );
    expect(JSON.parse(first?.body ?? '')).toMatchObject({
      event: 'promote',
      delivery: deliveries[0],
      sequence: 1,
      experiment: 'digits-cnn',
      actor: { name: 'on call' },
      before: null,
      after: { weights: { v1: 90, v2: 10 } },
    });
  });

  test('that is away is tried again, in order and under the same name, until it takes it', async () => {
    receiver.answerNext(503, 500, 429);
    const queue = await started();
    await happens('promote');
    await happens('rollback');
    queue.wake();
    await eventually(() => results.filter((result) => result === 'ok').length === 2);
    expect(events()).toEqual(['promote', 'promote', 'promote', 'promote', 'rollback']);
    const [first, second, third, fourth] = receiver.received.map(
      ({ headers }) => headers['x-signalbox-delivery'],
    );
    expect(new Set([first, second, third, fourth]).size).toBe(1);
    expect(results).toEqual(['retried', 'retried', 'retried', 'ok', 'ok']);
  });

  test('that refuses, or never answers, costs only the event', async () => {
    receiver.answerNext(404, ...Array.from({ length: 10 }, () => 503));
    const queue = await started();
    for (const action of ['promote', 'rollback', 'resume']) await happens(action);
    queue.wake();
    await eventually(() => results.includes('ok'));
    expect(results.filter((result) => result === 'failed')).toHaveLength(2);
    expect(events().at(-1)).toBe('resume');
  });

  test('a receiver that redirects is not followed to another address', async () => {
    receiver.answerNext(302);
    const queue = await started();
    await happens('promote');
    queue.wake();
    await eventually(() => results.length > 0);
    expect(results).toEqual(['failed']);
  });

  test('that may not have been told of the last changes when the store lost everything is told of what was brought back', async () => {
    const at = new Date().toISOString();
    const entry = (id: string, made: string, more: object) => ({
      ...auditRecord('digits', undefined, standingOf(written())),
      id,
      at: made,
      ...more,
    });
    await store.appendAudit(entry('long ago', '2026-01-01T00:00:00.000Z', { restored: true }));
    await store.appendAudit(entry('a moment ago', at, { action: 'pause', restored: true }));
    await store.appendAudit(entry('back', at, { action: 'recover' }));
    const queue = await started();
    queue.wake();
    await eventually(() => receiver.received.length === 2);
    expect(events()).toEqual(['pause', 'recover']);
  });

  test('a process that follows another one goes on where that one was, and tells nothing of before it was configured', async () => {
    await happens('create');
    const first = await started();
    await happens('promote');
    first.wake();
    // What is told and not yet kept as told would be told again by the next.
    await eventually(async () => (await toldUpTo()) === 2);
    await first.stop();
    await happens('rollback');
    queueOf().wake();
    await eventually(() => receiver.received.length === 2);
    expect(events()).toEqual(['promote', 'rollback']);
  });

  test('who does not lead, or has lost its lease without knowing it, does not move on', async () => {
    const queue = await started();
    await happens('promote');
    const held = fence;
    fence = undefined;
    queue.wake();
    await queue.stop();
    expect(receiver.received).toHaveLength(0);
    fence = held;
    await store.releaseLease('webhooks', 'test');
    const second = queueOf();
    second.wake();
    await eventually(() => receiver.received.length === 1);
    await second.stop();
    // It was told, but not noted: whoever leads now tells it again, under the same name.
    const cursor = await store.readDocument('webhook:ops');
    expect(cursor?.value).toMatchObject({ sequence: 0 });
  });

  test('who has slept past its lease while it read the log tells nothing of it', async () => {
    const queue = await started();
    await happens('promote');
    const read = store.readAudit.bind(store);
    vi.spyOn(store, 'readAudit').mockImplementation((...asked) => {
      fence = undefined;
      return read(...asked);
    });
    const before = looksAtFence;
    queue.wake();
    // Before it reads, and before it tells.
    await eventually(() => looksAtFence === before + 2);
    expect(receiver.received).toHaveLength(0);
  });

  test('takes only the events that it asks for', async () => {
    const queue = await started({ events: ['rollback', 'rollout.*'] });
    for (const action of ['promote', 'rollback', 'rollout.step', 'resume']) await happens(action);
    queue.wake();
    await eventually(() => receiver.received.length === 2);
    expect(events()).toEqual(['rollback', 'rollout.step']);
  });

  test('for Slack gets a text, with nothing of Slack’s own in it', async () => {
    const queue = await started({ type: 'slack', secret: undefined });
    await happens('rollback');
    queue.wake();
    await eventually(() => receiver.received.length === 1);
    const [{ body, headers } = { body: '', headers: {} }] = receiver.received;
    expect(JSON.parse(body)).toEqual({
      text: '*digits-cnn*: rollback by on call, &lt;b&gt; &amp; co\nrunning, v1 90 %, v2 10 % (version 2)',
    });
    expect(headers['x-signalbox-signature-256']).toBeUndefined();
  });
});

test('a gateway tells its webhooks of a change by hand, off the path of requests, and counts it', async () => {
  await using receiver = await startReceiver();
  receiver.answerNext(503);
  await using gateway = await startGateway({
    admin: true,
    files: MEASURED_FILES,
    config: `webhooks: [{ name: ops, url: "${receiver.url}", secret: "${SECRET}", events: [rollback] }]\n`,
  });
  await eventually(
    async () => (await gateway.server.gateway.state.store.readDocument('webhook:ops')) !== undefined,
  );
  await command(gateway, 'promote');
  await command(gateway, 'rollback', { reason: 'v2 is slow' });
  expect((await predict(gateway, 'ada')).status).toBe(200);
  await eventually(() => receiver.received.length === 2);
  expect(JSON.parse(receiver.received[1]?.body ?? '')).toMatchObject({
    event: 'rollback',
    reason: 'v2 is slow',
  });
  const labels = { webhook: 'ops', result: 'ok' };
  await eventually(
    async () => metricValue(await gateway.metrics(), 'signalbox_webhook_deliveries_total', labels) === 1,
  );
});
