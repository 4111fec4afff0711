import type { FastifyInstance } from 'fastify';
import type { AuditEntry, AuditLog } from '../../../experiments/stores/state-store.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { modelsOf, readAuditEvent } from '../../audit/audit-event.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { scope } from '../scoped-routes.ts';
import { invalid, isObject } from '../../json-values.ts';
import { AUDIT_DOCS } from './docs/audit.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/** Entries that are read at once, and in all for one answer, where only some are asked for. */
const READ_AT_ONCE = 1000;
const MAX_READ = 50_000;

type Query = Readonly<
  Partial<Record<'after' | 'before' | 'limit' | 'experiment', string | readonly string[]>>
>;

/** What was done, by whom and why; a key for some models sees what was done to theirs. */
export function auditRoutes(app: FastifyInstance, { state }: Gateway): void {
  app.get<{ Querystring: Query }>(
    '/api/audit',
    scope('admin:read', AUDIT_DOCS),
    async ({ query, principal }) => {
      const limit = wholeNumber(query, 'limit', 1, MAX_LIMIT) ?? DEFAULT_LIMIT;
      const after = wholeNumber(query, 'after', 0);
      const before = wholeNumber(query, 'before', 1);
      if (after !== undefined && before !== undefined) throw invalid('after and before exclude each other');
      const models = principal?.models;
      const isAskedFor = ({ entry }: AuditEntry): boolean => {
        const event = readAuditEvent(entry);
        const isOfOwn =
          models === undefined ||
          (event !== undefined && modelsOf(event)?.some((model) => models.has(model)) === true);
        return (
          isOfOwn &&
          (query.experiment === undefined ||
            (event?.kind === 'experiment' && event.experiment === query.experiment))
        );
      };
      try {
        const page =
          after === undefined
            ? await pageBefore(state.store, before, limit, isAskedFor)
            : await pageAfter(state.store, after, limit, isAskedFor);
        return {
          ...page,
          entries: page.entries.map(({ sequence, entry }) => ({
            sequence,
            ...(readAuditEvent(entry) ?? (isObject(entry) ? entry : {})),
          })),
        };
      } catch (cause) {
        if (!(cause instanceof StoreUnavailable)) throw cause;
        const message = `the audit log can not be read now: ${cause.message}`;
        throw new GatewayError('control_unavailable', message, { cause });
      }
    },
  );
}

/** Entries in the order in which they were done; `previous` and `next` go on with `before` and `after`. */
interface Page {
  readonly entries: readonly AuditEntry[];
  /** To be sent as `before` for what was done earlier; null: there is nothing. */
  readonly previous: number | null;
  /** To be sent as `after` for what was done later, now or when it has been. */
  readonly next: number;
}

async function pageAfter(
  log: AuditLog,
  after: number,
  limit: number,
  isAskedFor: (entry: AuditEntry) => boolean,
): Promise<Page> {
  const entries: AuditEntry[] = [];
  let at = after;
  while (entries.length < limit && at - after < MAX_READ) {
    const read = await log.readAudit(at, READ_AT_ONCE);
    const [first] = read;
    if (first === undefined) break;
    for (const entry of read) {
      if (entries.length === limit) break;
      at = entry.sequence;
      if (isAskedFor(entry)) entries.push(entry);
    }
  }
  return { entries, previous: after > 0 ? after + 1 : null, next: at };
}

async function pageBefore(
  log: AuditLog,
  before: number | undefined,
  limit: number,
  isAskedFor: (entry: AuditEntry) => boolean,
): Promise<Page> {
  const end = Math.min(before ?? Infinity, (await log.auditLength()) + 1);
  const entries: AuditEntry[] = [];
  let at = end;
  while (entries.length < limit && at > 1 && end - at < MAX_READ) {
    const from = Math.max(0, at - 1 - READ_AT_ONCE);
    const read = await log.readAudit(from, at - 1 - from);
    at = from + 1;
    for (const entry of [...read].reverse()) {
      if (entries.length === limit) break;
      at = entry.sequence;
      if (isAskedFor(entry)) entries.unshift(entry);
    }
  }
  return { entries, previous: at > 1 ? at : null, next: end - 1 };
}

/** @throws GatewayError `invalid_request` */
function wholeNumber(
  query: Query,
  key: 'after' | 'before' | 'limit',
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const text = query[key];
  if (text === undefined) return undefined;
  // One that is there twice is a list.
  if (typeof text !== 'string') throw invalid(`${key} is there more than once`);
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw invalid(
      `${key} is '${text.slice(0, 32)}'; expected a whole number of at least ${least}${
        most === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${most}`
      }`,
    );
  }
  return value;
}
