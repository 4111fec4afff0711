import { Type } from 'typebox';
import type { Static } from 'typebox';

const Hash = Type.Union([Type.Integer({ minimum: 0, maximum: 0xffff_ffff }), Type.Null()]);
const Measured = Type.Union([Type.Number(), Type.Null()]);

/**
 * A line of the exposure log. It has all that the assignment looked at, and not the unit's name: replay needs nothing else.
 */
export const ExposureLineSchema = Type.Object({
  /** When the request was routed, ISO 8601. */
  at: Type.String(),
  prediction_id: Type.String(),
  experiment: Type.String(),
  phase: Type.Integer(),
  /** Names the split that was in force. */
  epoch: Type.Integer(),
  /** Which change of the weights was in force; 0: the file's own, which no store knew of. Left out by older releases. */
  weights_version: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Of all variants, by name. */
  weights: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
  /** The share of units enrolled. */
  coverage: Type.Number(),
  control: Type.String(),
  variant: Type.String(),
  reason: Type.String(),
  /** Whether the request named a unit. */
  unit: Type.Boolean(),
  /** The hash that splits, and the one that enrols; null where the decision didn't come to it. */
  split_hash: Hash,
  coverage_hash: Hash,
  model: Type.String(),
  version: Type.Integer(),
  /** SHA-256 of the model's file. */
  digest: Type.String(),
  /** Null for a request that was not run. */
  batch_id: Measured,
  batch_rows: Measured,
  queue_ms: Measured,
  compute_ms: Measured,
  total_ms: Measured,
  /** As in `signalbox_requests_total`. */
  outcome: Type.String(),
});

export type ExposureLine = Readonly<Static<typeof ExposureLineSchema>>;
