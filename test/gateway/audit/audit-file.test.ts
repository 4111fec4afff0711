import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { auditRecord } from '../../../experiments/standing/audit-record.ts';
import { firstStanding } from '../../../experiments/standing/reconcile.ts';
import type { Standing } from '../../../experiments/standing/standing.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import type { AuditLog } from '../../../experiments/stores/state-store.ts';
import { AuditFile } from '../../../gateway/audit/audit-file.ts';
import { AuditTrail } from '../../../gateway/audit/audit-trail.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { command } from '../faces/admin-client.ts';
import { MEASURED_FILES } from '../faces/predictions.ts';
import { startGateway } from '../running-gateway.ts';

const SILENT = pino({ level: 'silent' });

function standing(id: string): Standing {
  const file = { experiment: sampleExperiment(), definition: '', digest: '' };
  return { ...firstStanding(file, undefined, '2026-11-25T12:00:00Z'), id };
}

async function idsIn(path: string): Promise<readonly string[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => {
    try {
      return [(JSON.parse(line) as { id: string }).id];
    } catch {
      return ['torn'];
    }
  });
}

test('every entry is a line, whoever wrote it, and a process goes on where the one before it ended', async () => {
  await using folder = await temporaryFolder({});
  const path = join(folder.path, 'audit.jsonl');
  const store = new MemoryStore();
  await store.appendAudit({ id: 'a' });
  const first = new AuditTrail(store, new AuditFile(path), SILENT);
  await first.catchUp();
  await store.appendAudit({ id: 'b' });
  await first.close();
  // Nobody copies it before the next process does.
  await store.appendAudit({ id: 'c' });
  const second = new AuditTrail(store, new AuditFile(path), SILENT);
  await Promise.all([second.catchUp(), second.catchUp()]);
  expect(await idsIn(path)).toEqual(['a', 'b', 'c']);
  await second.close();
});

test('a line that was cut off stays what it is, and its entry comes again behind it', async () => {
  await using folder = await temporaryFolder({});
  const path = join(folder.path, 'audit.jsonl');
  const store = new MemoryStore();
  await store.appendAudit({ id: 'a' });
  await new AuditTrail(store, new AuditFile(path), SILENT).close();
  await appendFile(path, '{"sequence":2,"id":"b"');
  await store.appendAudit({ id: 'b' });
  await new AuditTrail(store, new AuditFile(path), SILENT).close();
  expect(await idsIn(path)).toEqual(['a', 'torn', 'b']);
});

test('what was in force here and went with the log before it was copied is in the file all the same, once', async () => {
  await using folder = await temporaryFolder({});
  const path = join(folder.path, 'audit.jsonl');
  const [before, after] = [new MemoryStore(), new MemoryStore()];
  let store: AuditLog = before;
  const log: AuditLog = {
    appendAudit: (entry) => store.appendAudit(entry),
    readAudit: (since, limit) => store.readAudit(since, limit),
    auditLength: () => store.auditLength(),
  };
  const trail = new AuditTrail(log, new AuditFile(path), SILENT);
  const change = (id: string) => auditRecord('digits', standing('before'), standing(id));
  trail.note(change('a'));
  await before.appendAudit(change('a'));
  await trail.catchUp();
  trail.note(change('lost'));
  await before.appendAudit(change('lost'));
  store = after;
  trail.note(change('b'));
  for (const id of ['recovered', 'b']) await after.appendAudit(change(id));
  await trail.catchUp();
  trail.note(change('c'));
  await after.appendAudit(change('c'));
  await trail.close();
  expect(await idsIn(path)).toEqual(['a', 'lost', 'recovered', 'b', 'c']);
});

test('a log that the store has lost is followed from its new beginning, and the file keeps the old one', async () => {
  await using folder = await temporaryFolder({});
  const path = join(folder.path, 'audit.jsonl');
  const before = new MemoryStore();
  for (const id of ['a', 'b', 'c']) await before.appendAudit({ id });
  await new AuditTrail(before, new AuditFile(path), SILENT).close();
  const after = new MemoryStore();
  await after.appendAudit({ id: 'd' });
  await new AuditTrail(after, new AuditFile(path), SILENT).close();
  const longer = new MemoryStore();
  for (const id of ['e', 'f']) await longer.appendAudit({ id });
  await new AuditTrail(longer, new AuditFile(path), SILENT).close();
  expect(await idsIn(path)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('what was acknowledged by hand is in the file, and a file that can’t be written keeps nobody from a rollback', async () => {
  const config = (file: string): string => `telemetry: { audit: { file: ${file} } }\n`;
  await using gateway = await startGateway({
    admin: true,
    files: MEASURED_FILES,
    config: config('audit.jsonl'),
  });
  await command(gateway, 'promote', { reason: 'better' });
  const path = join(gateway.folder.path, 'audit.jsonl');
  const lines = (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(lines).toMatchObject([
    { sequence: 1, action: 'create' },
    { sequence: 2, action: 'promote', reason: 'better', before: { version: 1 }, after: { version: 2 } },
  ]);

  await using full = await startGateway({
    admin: true,
    files: MEASURED_FILES,
    config: config('experiments'),
  });
  expect(await command(full, 'rollback')).toMatchObject({ status: 200, body: { changed: true } });
  expect(full.log.some((line) => line.includes('the audit file can not be written'))).toBe(true);
});
