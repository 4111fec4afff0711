import { newBatchId } from '../batching/batch-id.ts';
import { BackendError } from '../errors.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import type { Servable, VersionDescription } from '../servable.ts';
import type { DurationStat, VersionStatistics } from '../statistics.ts';
import type { AnswerStore, CacheResult } from './answer-store.ts';
import { cacheScope, requestKey, uploadKey } from './cache-key.ts';
import { Flight } from './flight.ts';
import { keep } from './kept-answer.ts';
import type { KeptAnswer } from './kept-answer.ts';
import type { Recalled } from './recalled.ts';

/** What every version with a cache shares. */
export interface AnswerCache {
  readonly store: AnswerStore;
  readonly onResult: (result: CacheResult) => void;
}

/** What an equal request in flight came to. */
interface Flown {
  readonly kept: KeptAnswer;
  /** The run's own; undefined where the store had the answer after all. */
  readonly run: Omit<InferAnswer, 'outputs' | 'release' | 'cache'> | undefined;
}

/**
 * A version whose answers are kept. Equal requests run once: those that come while one runs share its answer. Only what the
 * model answered is kept, never an error. A store that fails, or is slow, costs its own short timeout and nothing else.
 */
export class CachedVersion implements Servable {
  readonly about: VersionDescription;
  readonly resize?: (count: number) => Promise<void>;

  readonly #inner: Servable;
  readonly #cache: AnswerCache;
  readonly #scope: string;
  readonly #allOutputs: readonly string[];
  readonly #flights = new Map<string, Flight<Flown>>();
  readonly #hits = { count: 0, ms: 0 };
  readonly #misses = { count: 0, ms: 0 };

  constructor(inner: Servable, cache: AnswerCache) {
    this.#inner = inner;
    this.#cache = cache;
    this.#scope = cacheScope(inner.about);
    this.#allOutputs = inner.about.outputs.map(({ name }) => name);
    this.about = inner.about;
    if (inner.resize !== undefined) this.resize = inner.resize.bind(inner);
  }

  get queued(): number {
    return this.#inner.queued;
  }

  get longestWaitMs(): number {
    return this.#inner.longestWaitMs ?? 0;
  }

  get expectedWaitMs(): number | undefined {
    return this.#inner.expectedWaitMs;
  }

  get instances(): Servable['instances'] {
    return this.#inner.instances;
  }

  /** As Triton counts them: a hit is a success that neither waited nor ran. */
  get statistics(): VersionStatistics {
    const { success, queue, ...inner } = this.#inner.statistics;
    const hit = statOf(this.#hits);
    return {
      ...inner,
      success: { count: success.count + hit.count, ns: success.ns + hit.ns },
      queue: { count: queue.count + hit.count, ns: queue.ns },
      cacheHit: hit,
      cacheMiss: statOf(this.#misses),
    };
  }

  hasRoomFor(rows: number): boolean {
    return this.#inner.hasRoomFor(rows);
  }

  async infer(request: InferRequest): Promise<InferAnswer> {
    const startMs = performance.now();
    const made =
      request.cacheKey ?? requestKey(this.#scope, request.inputs, request.outputs ?? this.#allOutputs);
    const key = made instanceof Promise ? await made : made;
    for (;;) {
      const flying = this.#flights.get(key);
      if (flying === undefined) return this.#fly(key, request, startMs);
      try {
        const { kept, run } = await flying.wait(request);
        return this.#answerHit(kept, run, 'shared', startMs);
      } catch (error) {
        // The one that runs had less time than this one, or was turned away for its own priority: this one has its own chance.
        if (!isOfTheOther(error, request)) throw error;
      }
    }
  }

  /** Whether uploads were answered before: told without decoding them. A miss is counted by {@link infer}. */
  async recall(files: readonly Uint8Array[]): Promise<Recalled> {
    const startMs = performance.now();
    const key = await uploadKey(this.#scope, files);
    try {
      const found = this.#flights.has(key) ? undefined : await this.#cache.store.get(key);
      return { key, answer: found && this.#answerHit(found, undefined, 'hit', startMs) };
    } catch {
      return { key, answer: undefined };
    }
  }

  hold(): () => void {
    return this.#inner.hold();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #fly(key: string, request: InferRequest, startMs: number): Promise<InferAnswer> {
    // What is in memory needs no flight.
    const known = this.#lookUp(key);
    if (known !== undefined && !(known instanceof Promise))
      return this.#answerHit(known, undefined, 'hit', startMs);
    let result: CacheResult = 'miss';
    const flight = new Flight<Flown>(async (signal) => {
      try {
        const kept = await known?.catch(() => {
          result = 'unavailable';
          return undefined;
        });
        if (kept !== undefined) return { kept, run: undefined };
        const lookupMs = performance.now() - startMs;
        const answer = await this.#inner.infer({ ...request, signal });
        const keepMs = performance.now();
        const { outputs, queueMs, computeMs, batchRows, batchId } = answer;
        const own = keep(outputs);
        answer.release();
        if (result === 'miss') this.#cache.store.set(key, own);
        this.#misses.count += 1;
        this.#misses.ms += lookupMs + performance.now() - keepMs;
        return { kept: own, run: { queueMs, computeMs, batchRows, batchId, cacheMs: lookupMs } };
      } finally {
        this.#flights.delete(key);
      }
    });
    this.#flights.set(key, flight);
    const { kept, run } = await flight.wait(request);
    if (run === undefined) return this.#answerHit(kept, undefined, 'hit', startMs);
    this.#cache.onResult(result);
    return { outputs: kept.outputs, ...run, cache: 'miss', release: nothing };
  }

  #lookUp(key: string): KeptAnswer | Promise<KeptAnswer | undefined> | undefined {
    return this.#cache.store.get(key);
  }

  #answerHit(
    { outputs }: KeptAnswer,
    run: Flown['run'],
    result: 'hit' | 'shared',
    startMs: number,
  ): InferAnswer {
    this.#hits.count += 1;
    const cacheMs = performance.now() - startMs;
    this.#hits.ms += cacheMs;
    this.#cache.onResult(result);
    const times = run ?? { queueMs: 0, computeMs: 0, batchRows: 0, batchId: newBatchId() };
    return { outputs, ...times, cache: 'hit', cacheMs, release: nothing };
  }
}

function nothing(): undefined {
  return undefined;
}

function statOf({ count, ms }: { readonly count: number; readonly ms: number }): DurationStat {
  return { count, ns: Math.round(ms * 1e6) };
}

/** Faults of the request that ran, which say nothing of one that waited for it and still has time. */
const FAULTS_OF_ONE = new Set<BackendError['fault']>([
  'cancelled',
  'expired_in_queue',
  'expired_in_run',
  'queue_timeout',
  'deadline_unreachable',
]);

function isOfTheOther(error: unknown, { deadlineMs, signal }: InferRequest): boolean {
  return (
    error instanceof BackendError &&
    FAULTS_OF_ONE.has(error.fault) &&
    signal?.aborted !== true &&
    performance.now() < deadlineMs
  );
}
