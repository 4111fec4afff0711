import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromSqliteWorker, SqliteRequest, ToSqliteWorker } from './sqlite-messages.ts';
import { openSchema } from './sqlite-schema.ts';
import { SqliteTables } from './sqlite-tables.ts';

/** The thread that has the database: SQLite's calls are synchronous, and a commit must not hold up callers. */
if (parentPort === null) throw new Error('this module runs in a worker thread');
const port = parentPort;
const { file } = workerData as { readonly file: string };

let database: DatabaseSync;
try {
  database = new DatabaseSync(file);
  openSchema(database);
} catch (error) {
  tell({ kind: 'refused', reason: reasonOf(error) });
  throw error;
}
const tables = new SqliteTables(database);

port.on('message', (message: ToSqliteWorker) => {
  if ('close' in message) {
    database.close();
    port.close();
    return;
  }
  const { id, request } = message;
  try {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = answer(request);
      database.exec('COMMIT');
      tell({ kind: 'done', id, result });
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      tables.forget();
      throw error;
    }
  } catch (error) {
    tell({ kind: 'failed', id, reason: reasonOf(error) });
  }
});
tell({ kind: 'open' });

function answer(request: SqliteRequest): unknown {
  const nowMs = Date.now();
  switch (request.kind) {
    case 'readDocument': {
      const row = tables.prepare('SELECT version, json FROM document WHERE key = ?').get(request.key);
      return row && { version: Number(row.version), value: JSON.parse(String(row.json)) as unknown };
    }
    case 'writeDocument': {
      const { key, json, expectedVersion, fence, auditJson } = request;
      if (fence !== undefined) {
        const held = tables
          .prepare('SELECT 1 FROM lease WHERE name = ? AND holder = ? AND token = ? AND expires_ms > ?')
          .get(fence.lease, fence.holder, fence.token, nowMs);
        if (held === undefined) return 'lease lost';
      }
      const { changes } =
        expectedVersion === 0
          ? tables
              .prepare('INSERT OR IGNORE INTO document (key, version, json) VALUES (?, 1, ?)')
              .run(key, json)
          : tables
              .prepare('UPDATE document SET version = version + 1, json = ? WHERE key = ? AND version = ?')
              .run(json, key, expectedVersion);
      if (Number(changes) !== 1) return undefined;
      for (const entry of auditJson) appendAudit(entry);
      return expectedVersion + 1;
    }
    case 'claim':
      tables.purgeClaims(nowMs);
      return tables.claim(`claim ${request.key}`, nowMs + request.ttlMs, nowMs);
    case 'appendAudit':
      return appendAudit(request.json);
    case 'auditLength':
      return Number(tables.prepare('SELECT max(sequence) AS last FROM audit').get()?.last ?? 0);
    case 'readAudit':
      return tables
        .prepare('SELECT sequence, json FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?')
        .all(request.after, request.limit)
        .map(({ sequence, json }) => ({
          sequence: Number(sequence),
          entry: JSON.parse(String(json)) as unknown,
        }));
    case 'acquireLease': {
      // A new holder gets a new token; a lease that was let go keeps its row, so that tokens never go back.
      const row = tables
        .prepare(
          'INSERT INTO lease (name, holder, token, expires_ms) VALUES ($name, $holder, 1, $until) ' +
            'ON CONFLICT (name) DO UPDATE SET holder = $holder, expires_ms = $until, ' +
            'token = token + (holder <> $holder OR expires_ms <= $now) WHERE holder = $holder OR expires_ms <= $now ' +
            'RETURNING token',
        )
        .get({ name: request.name, holder: request.holder, until: nowMs + request.ttlMs, now: nowMs });
      return row && { token: Number(row.token) };
    }
    case 'leaseHolder': {
      const row = tables
        .prepare('SELECT holder FROM lease WHERE name = ? AND expires_ms > ?')
        .get(request.name, nowMs);
      return row && String(row.holder);
    }
    case 'releaseLease':
      tables
        .prepare('UPDATE lease SET expires_ms = 0 WHERE name = ? AND holder = ?')
        .run(request.name, request.holder);
      return undefined;
    case 'recordExposures':
      tables.recordExposures(request.batch);
      return undefined;
    case 'recordOutcomes':
      return tables.recordOutcomes(request.outcomes);
    case 'closeWindows':
      return tables.closeWindows(request.experiment, request.phase, request.metrics, request.nowMs);
    case 'tallies':
      return tables.tallies(request.experiment, request.phase);
    case 'recordMirrors':
      tables.recordMirrors(request.batch);
      return undefined;
    case 'mirrors':
      return tables.mirrors(request.experiment, request.phase);
    case 'land':
      return tables.land(request.scope, request.unitHash, request.variant, request.keepers);
    case 'landing':
      return tables.landing(request.scope, request.unitHash);
  }
}

function appendAudit(json: string): number {
  return Number(tables.prepare('INSERT INTO audit (json) VALUES (?)').run(json).lastInsertRowid);
}

function tell(message: FromSqliteWorker): void {
  port.postMessage(message);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
