import type { Priority } from '../trust/priority.ts';
import { HeapUse } from './heap-use.ts';
import { LoopDelay } from './loop-delay.ts';
import { overloaded, QueueTooLong } from './overloaded.ts';
import type { Shed } from './overloaded.ts';

/** From when on requests are turned away. */
export interface SheddingConfig {
  /** The longest that a request is expected to wait for its run, in milliseconds. */
  readonly waitMs: number;
  /** The longest that the event loop may be late. */
  readonly eventLoopDelayMs: number;
  /** The share of the JavaScript heap that may be in use, 0 to 1. */
  readonly heapShare: number;
  /** The memory that bodies of requests under way may take together. */
  readonly bodyBytes: number;
}

/** What a version says of its queue. */
export interface Queue {
  readonly about: { readonly model: string };
  /** Milliseconds that a request which comes now is expected to wait, 0 where nothing waits; undefined where that is not known yet. */
  readonly expectedWaitMs?: number | undefined;
}

/** By how much the waits that a caller bears differ with its priority: of those who queue, the low make room for the others. */
const PATIENCE: Readonly<Record<Priority, number>> = { low: 0.5, normal: 1, high: 2 };

/**
 * Turns requests away while they are still cheap: who can't be answered in time costs those who can their time. What is due anyhow
 * (health, metrics, control) is never turned away.
 */
export class LoadShedder {
  #config: SheddingConfig;
  readonly #onShed: (reason: Shed, model?: string) => void;
  readonly #loop: Pick<LoopDelay, 'ms'>;
  readonly #heap: Pick<HeapUse, 'share'>;

  /** @param onShed told of each request that is turned away, and of the model whose queue is too long */
  constructor(
    config: SheddingConfig,
    onShed: (reason: Shed, model?: string) => void,
    loop: Pick<LoopDelay, 'ms'> = new LoopDelay(),
    heap: Pick<HeapUse, 'share'> = new HeapUse(),
  ) {
    this.#config = config;
    this.#onShed = onShed;
    this.#loop = loop;
    this.#heap = heap;
  }

  replace(config: SheddingConfig): void {
    this.#config = config;
  }

  /**
   * Asked before a request's body is received.
   *
   * @throws GatewayError `overloaded`
   */
  checkProcess(priority: Priority): void {
    const { eventLoopDelayMs, heapShare } = this.#config;
    const lateMs = this.#loop.ms;
    if (lateMs > eventLoopDelayMs * PATIENCE[priority]) {
      this.#onShed('event_loop');
      throw overloaded(`the event loop is ${Math.round(lateMs)} ms late`, undefined);
    }
    const share = this.#heap.share;
    if (share > heapShare) {
      this.#onShed('heap');
      throw overloaded(`${Math.round(share * 100)} % of the heap is in use`, undefined);
    }
  }

  /** The longest wait that a request of a caller of that priority is let in for, in milliseconds. */
  bearableMs(priority: Priority): number {
    return this.#config.waitMs * PATIENCE[priority];
  }

  /**
   * Asked before the body is received, of the shortest queue that the call may come into, and again of the one that it comes into.
   *
   * @throws GatewayError `overloaded`
   */
  checkQueue(priority: Priority, queue: Queue): void {
    const waitMs = queue.expectedWaitMs;
    const mostMs = this.bearableMs(priority);
    if (waitMs === undefined || waitMs <= mostMs) return;
    this.#onShed('wait', queue.about.model);
    throw new QueueTooLong(
      `a request for model '${queue.about.model}' would wait about ${Math.round(waitMs)} ms, and ${Math.round(mostMs)} ms are the most`,
      waitMs - mostMs,
    );
  }
}
