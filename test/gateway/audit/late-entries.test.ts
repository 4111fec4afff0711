import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import type { AuditEvent } from '../../../gateway/audit/audit-event.ts';
import { LateEntries } from '../../../gateway/audit/late-entries.ts';
import { SpoolPlace } from '../../../gateway/state/spool-place.ts';
import { Spool } from '../../../gateway/state/spool.ts';
import { addingModel } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { askAdmin } from '../faces/admin-client.ts';
import { eventually, startGateway } from '../running-gateway.ts';

const silent = { warn: () => undefined, info: () => undefined };

function entry(id: string): AuditEvent {
  const actor = { kind: 'anybody', id: '', name: '', address: '' } as const;
  const at = '2026-11-26T01:00:00.000Z';
  const [before, after] = [{ level: 'info' }, { level: 'debug' }];
  return { kind: 'settings', action: 'log.set', id, at, actor, before, after };
}

test('what an earlier try brought into the log is not brought again', async () => {
  await using folder = await temporaryFolder();
  const place = new SpoolPlace(folder.path);
  const store = new MemoryStore();
  let isAway = true;
  const breaking = {
    readAudit: store.readAudit.bind(store),
    auditLength: store.auditLength.bind(store),
    appendAudit(given: unknown): Promise<number> {
      if (isAway && JSON.stringify(given).includes('"third"')) throw new Error('gone again');
      return store.appendAudit(given);
    },
  };
  let delivered = 0;
  const late = new LateEntries({
    store: breaking,
    spool: new Spool<AuditEvent>(place, 'audit'),
    onDelivered: () => (delivered += 1),
    log: silent,
  });
  await late.open();
  for (const id of ['first', 'second', 'third']) await late.keep(entry(id));
  await eventually(async () => (await store.auditLength()) === 2);
  isAway = false;
  await eventually(() => delivered === 1);
  const ids = (await store.readAudit(0, 10)).map(({ entry: written }) => (written as AuditEvent).id);
  expect(ids).toEqual(['first', 'second', 'third']);
  expect(await readdir(folder.path)).toEqual(['lock']);
  await late.close();
  place.release();
});

const found = await findRedis();

test.skipIf(found.kind === 'missing')(
  'a model that is unloaded while Redis is away is in the audit log when it is back, once, in the order in which things were done there',
  async () => {
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    await using gateway = await startGateway({
      admin: true,
      config:
        `state: ${redis.url}\nsecret: a secret of a test, long enough\nspool: ./spool\n` +
        'models: { repository: ./models, control: explicit, load: [m] }\n',
      files: { 'models/m/1/model.onnx': addingModel(1) },
    });
    const entries = async (): Promise<readonly unknown[]> => {
      const { status, body } = await askAdmin(gateway, '/api/audit');
      return status === 200 ? (body.entries as unknown[]) : [];
    };
    const change = async (action: 'load' | 'unload'): Promise<number> =>
      (await askAdmin(gateway, `/api/models/m/${action}`, { method: 'POST' })).status;
    expect(await change('load')).toBe(200);
    await redis.kill();
    expect(await change('unload')).toBe(200);
    const kept = async (): Promise<readonly string[]> =>
      // It is moved to another name when it is first tried to deliver it, a second later.
      (await readdir(join(gateway.folder.path, 'spool'))).filter((file) => file.startsWith('audit'));
    expect(await kept()).toHaveLength(1);
    await redis.start();
    await eventually(async () => (await entries()).length === 2);
    expect(await entries()).toMatchObject([{ action: 'model.load' }, { action: 'model.unload', model: 'm' }]);
    await eventually(async () => (await kept()).length === 0);
  },
);
