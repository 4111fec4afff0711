import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import type { ExposureBatch, Outcome, Scope } from './ledger.ts';
import type { Fence } from './state-store.ts';

/** What the store asks its worker; each is one transaction. */
export type SqliteRequest =
  | { readonly kind: 'readDocument'; readonly key: string }
  | {
      readonly kind: 'writeDocument';
      readonly key: string;
      readonly json: string;
      readonly expectedVersion: number;
      readonly fence: Fence | undefined;
      readonly auditJson: readonly string[];
    }
  | { readonly kind: 'claim'; readonly key: string; readonly ttlMs: number }
  | { readonly kind: 'appendAudit'; readonly json: string }
  | { readonly kind: 'readAudit'; readonly after: number; readonly limit: number }
  | { readonly kind: 'auditLength' }
  | {
      readonly kind: 'acquireLease';
      readonly name: string;
      readonly holder: string;
      readonly ttlMs: number;
    }
  | { readonly kind: 'leaseHolder'; readonly name: string }
  | { readonly kind: 'releaseLease'; readonly name: string; readonly holder: string }
  | { readonly kind: 'recordExposures'; readonly batch: ExposureBatch }
  | { readonly kind: 'recordOutcomes'; readonly outcomes: readonly Outcome[] }
  | {
      readonly kind: 'closeWindows';
      readonly experiment: string;
      readonly phase: number;
      readonly metrics: readonly CountedMetric[];
      readonly nowMs: number;
    }
  | { readonly kind: 'tallies'; readonly experiment: string; readonly phase: number }
  | { readonly kind: 'recordMirrors'; readonly batch: MirrorBatch }
  | { readonly kind: 'mirrors'; readonly experiment: string; readonly phase: number }
  | {
      readonly kind: 'land';
      readonly scope: Scope;
      readonly unitHash: number;
      readonly variant: string;
      readonly keepers: readonly string[];
    }
  | { readonly kind: 'landing'; readonly scope: Scope; readonly unitHash: number };

export type ToSqliteWorker =
  { readonly id: number; readonly request: SqliteRequest } | { readonly close: true };

export type FromSqliteWorker =
  | { readonly kind: 'open' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };
