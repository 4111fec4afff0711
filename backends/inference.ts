import type { Tensor } from './tensor/tensor.ts';

/** The protocol's parameters of single inputs and outputs, by the tensor's name, for a version that another server runs. */
export interface TensorParameters {
  readonly inputs: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly outputs: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** One caller's request to one version of a model. */
export interface InferRequest {
  /** Every input of the model, each once; rows along the first dimension where the model batches. */
  readonly inputs: readonly Tensor[];
  /** The names of the wanted outputs; all where it is left out. */
  readonly outputs?: readonly string[] | undefined;
  /** When the answer is of no more use, in `performance.now()` milliseconds. */
  readonly deadlineMs: number;
  /** 1 (first) to the model's levels; 0 or left out: the model's default level. Of no effect where it has no levels. */
  readonly priority?: number | undefined;
  /**
   * How long the request may wait in the queue, in milliseconds; 0 or left out: as the model's queue policy says. It only
   * ever shortens that, and is heeded where the policy allows it.
   */
  readonly timeoutMs?: number | undefined;
  /** What its answer is kept by, where that was told before its inputs were there; left out: by its inputs. */
  readonly cacheKey?: string | undefined;
  /** Aborted when the caller hangs up: the request then leaves the queue. */
  readonly signal?: AbortSignal;
  /** What the caller calls its request, for a version that another server runs; left out, or empty: nothing. */
  readonly id?: string | undefined;
  /** The protocol's request parameters, by name, for a version that another server runs. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Those of its single inputs and outputs; left out: none has any. */
  readonly tensorParameters?: TensorParameters | undefined;
  /** The caller's W3C trace context, by header name, for a version that another server runs. */
  readonly traceContext?: Readonly<Record<string, string>> | undefined;
}

export interface InferAnswer {
  /** In the order they were asked for, or the model's own. */
  readonly outputs: readonly Tensor[];
  /** Milliseconds from the request's arrival to the start of the batch it ran in. */
  readonly queueMs: number;
  /** Milliseconds that the batch took in the model. */
  readonly computeMs: number;
  /** Rows of the batch, this request's and its neighbours'; 0 where nothing was run. */
  readonly batchRows: number;
  /** Names the batch within this process, from 1: the same for all requests that shared it. */
  readonly batchId: number;
  /** Whether a kept answer served, or an equal request's run did; left out: the model has no cache. */
  readonly cache?: 'hit' | 'miss';
  /** Milliseconds to look for a kept answer, before anything else was done; left out: nothing was looked for. */
  readonly cacheMs?: number;
  /** To be called once, when the outputs have been encoded: their memory is lent, and used again afterwards. */
  release(): void;
}

/** Why a batch was sent to the model when it was. */
export type ReleaseReason =
  /** It had all the rows it may have. */
  | 'full'
  /** It had one of the preferred numbers of rows. */
  | 'preferred'
  /** Its oldest request had waited as long as the configuration lets it. */
  | 'delay'
  /** An instance was free and nothing told it to wait. */
  | 'idle'
  /** To wait longer would have missed a deadline, a queue timeout or the latency target. */
  | 'deadline'
  /** The version is being unloaded. */
  | 'drain';

/** What a version tells of each batch it ran. */
export interface BatchReport {
  readonly model: string;
  readonly version: number;
  readonly rows: number;
  readonly reason: ReleaseReason;
}
