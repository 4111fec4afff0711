import type { InferAnswer } from '../../backends/inference.ts';
import type { Servable } from '../../backends/servable.ts';
import type { Choice } from '../../experiments/decision.ts';
import type { UnitKey } from '../../experiments/prediction-id.ts';
import type { AnswerSummary } from '../answers/answer-summary.ts';
import type { Bearing } from '../pipeline/bearing.ts';
import type { Outcome } from '../telemetry/metrics.ts';

/** A request that an experiment routed, once it was answered. Times are in milliseconds; undefined where it didn't get that far. */
export interface Exposure {
  /** When it was routed, since 1970. */
  readonly atMs: number;
  readonly predictionId: string;
  readonly choice: Choice;
  /** Undefined where the request named no unit. */
  readonly unit: UnitKey | undefined;
  readonly version: Servable;
  /** The id of the caller's key; empty for a caller without one. */
  readonly keyId: string;
  readonly outcome: Outcome;
  /** What that says of the variant. */
  readonly bearing: Bearing;
  /** Undefined where there is no answer, or nothing is measured of it. */
  readonly answered: AnswerSummary | undefined;
  /** Whether a kept answer served; undefined: there is no answer, or the model has no cache. */
  readonly cache: InferAnswer['cache'];
  readonly totalMs: number;
  readonly queueMs: number | undefined;
  readonly computeMs: number | undefined;
  readonly batchId: number | undefined;
  readonly batchRows: number | undefined;
}

/** Takes exposures to where they are kept. */
export interface ExposureSink {
  /** What drops are counted under. */
  readonly name: 'state' | 'file' | 'redis' | 'otlp';
  /** Takes them over without waiting and without throwing; what it can't take it counts as dropped. */
  accept(exposures: readonly Exposure[]): void;
  /** Resolves when what was accepted is kept, or dropped. */
  flush(): Promise<void>;
  /** Flushes and ends. */
  close(): Promise<void>;
}

/** Told of exposures that a sink could not keep. */
export type OnDrop = (sink: ExposureSink['name'], count: number, reason: string) => void;
