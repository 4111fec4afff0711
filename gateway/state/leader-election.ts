import type { Fence, Leases } from '../../experiments/stores/state-store.ts';

/** A leader that dies is missed after that. */
const TTL_MS = 3000;
/** Between two tries to get or to renew the lease: with the lifetime, takeover takes 4 seconds and a round trip at most. */
const TRY_EVERY_MS = 1000;

export interface LeaderElectionOptions {
  readonly leases: Leases;
  /** What is to be led; the lease's name. */
  readonly name: string;
  /** Names this process; no other has the same. */
  readonly holder: string;
  readonly ttlMs?: number;
  readonly tryEveryMs?: number;
  /** Told when this process begins to lead, and when it no longer does. */
  readonly onChange?: (isLeader: boolean) => void;
  /** Milliseconds of a clock that is never set, and goes on while the process is stopped. */
  readonly monotonicMs?: () => number;
}

/**
 * Elects one of many replicas by a lease that it keeps renewing.
 *
 * A leader that is stopped, or cut off, for longer than its lease finds that it leads no more by its own clock; and whatever it
 * does before it looks is refused by the store, where it is written under {@link fence}. The lease's time is counted by the
 * store's clock, so replicas' clocks may differ.
 */
export class LeaderElection {
  readonly #options: Required<LeaderElectionOptions>;
  #token: number | undefined;
  /** Until when the lease holds for certain: counted from before it was asked for. */
  #holdsUntilMs = -Infinity;
  #wasLeader = false;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> = Promise.resolve();
  #isStopped = true;

  constructor(options: LeaderElectionOptions) {
    this.#options = {
      ttlMs: TTL_MS,
      tryEveryMs: TRY_EVERY_MS,
      onChange: () => undefined,
      monotonicMs: () => performance.now(),
      ...options,
    };
  }

  /** What a leader's writes stand under; undefined for who doesn't lead. */
  get fence(): Fence | undefined {
    const { name, holder, monotonicMs } = this.#options;
    if (this.#token === undefined || monotonicMs() >= this.#holdsUntilMs) return undefined;
    return { lease: name, holder, token: this.#token };
  }

  get isLeader(): boolean {
    return this.fence !== undefined;
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#tryAndSchedule();
  }

  /** Lets the lease go, so that another one leads at once. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#trying;
    const { leases, name, holder } = this.#options;
    const isHeld = this.#token !== undefined;
    this.#token = undefined;
    this.#tell();
    // A store that is away lets it run out by itself.
    if (isHeld) await leases.releaseLease(name, holder).catch(() => undefined);
  }

  #tryAndSchedule(): void {
    this.#trying = this.#try().finally(() => {
      if (this.#isStopped) return;
      this.#timer = setTimeout(() => {
        this.#tryAndSchedule();
      }, this.#options.tryEveryMs);
    });
  }

  async #try(): Promise<void> {
    const { leases, name, holder, ttlMs, monotonicMs } = this.#options;
    const askedMs = monotonicMs();
    try {
      const lease = await leases.acquireLease(name, holder, ttlMs);
      this.#token = lease?.token;
      this.#holdsUntilMs = lease === undefined ? -Infinity : askedMs + ttlMs;
    } catch {
      // The store is away: what was held holds until its time is over.
    }
    this.#tell();
  }

  #tell(): void {
    const { isLeader } = this;
    if (isLeader === this.#wasLeader) return;
    this.#wasLeader = isLeader;
    this.#options.onChange(isLeader);
  }
}
