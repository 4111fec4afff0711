import type { UpstreamDefinition } from '../../experiments/upstream-definition.ts';

/** Asks once; resolves when the server is well, rejects with the reason why it isn't. */
export type Probe = (signal: AbortSignal) => Promise<void>;

/** Told each time that it becomes ready or not, and when it was first asked. */
export type OnReadiness = (
  isReady: boolean,
  /** Why it isn't; empty where it is. */
  reason: string,
  /** What went wrong, where more is known of it. */
  cause: unknown,
) => void;

/** What one look saw: why the server isn't well, empty where it is. */
interface Finding {
  readonly reason: string;
  readonly cause?: unknown;
}

/** Whether a server can answer, found out by asking it from time to time. It can't until it first said so. */
export class HealthCheck {
  readonly #options: UpstreamDefinition['health'];
  readonly #probe: Probe;
  readonly #onChange: OnReadiness;
  readonly #stop = new AbortController();
  #isReady = false;
  #reason = 'it was not asked yet';
  /** Looks in a row that said the opposite of what holds. */
  #contrary = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: UpstreamDefinition['health'], probe: Probe, onChange: OnReadiness) {
    this.#options = options;
    this.#probe = probe;
    this.#onChange = onChange;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Why it isn't ready; empty where it is. */
  get reason(): string {
    return this.#reason;
  }

  /** Asks for the first time, and from then on by itself; resolves when it was answered, or has taken too long. */
  async start(): Promise<void> {
    await this.#look(true);
    this.#schedule();
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      void this.#look(false).then(() => {
        this.#schedule();
      });
    }, this.#options.intervalMs);
  }

  async #look(isFirst: boolean): Promise<void> {
    const { reason, cause } = await this.#ask();
    if (this.#stop.signal.aborted) return;
    const isWell = reason === '';
    this.#contrary = isWell === this.#isReady ? 0 : this.#contrary + 1;
    const { healthyAfter, unhealthyAfter } = this.#options;
    const isDecided = this.#contrary >= (isWell ? healthyAfter : unhealthyAfter);
    // A server that was well when it was first asked needs no second look.
    if (!isFirst && !isDecided) {
      if (!this.#isReady && !isWell) this.#reason = reason;
      return;
    }
    this.#contrary = 0;
    this.#isReady = isWell;
    this.#reason = reason;
    this.#onChange(isWell, reason, cause);
  }

  async #ask(): Promise<Finding> {
    const limit = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#options.timeoutMs)]);
    try {
      await this.#probe(limit);
      return { reason: '' };
    } catch (error) {
      const isLate = limit.aborted && !this.#stop.signal.aborted;
      if (isLate) return { reason: `no answer within ${this.#options.timeoutMs} ms` };
      return error instanceof Error
        ? { reason: error.message, cause: error.cause }
        : { reason: String(error) };
    }
  }
}
