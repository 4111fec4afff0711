import { Gathering } from './gathering.ts';

/**
 * The processor that versions share: it has as many threads as cores, and a run takes as many as it may use. So no more
 * threads compute at once than there are cores, however many instances the versions have.
 *
 * While there is room, a permit costs a few additions. When there is none, those that wait are granted permits by
 * start-time fair queueing (Goyal, Vin and Cheng, 1996) on the time their runs took: a version that has used less goes
 * first, and one that was idle starts level with the others. So a version gets its equal share whenever it wants it, what
 * it doesn't want goes to the others, and a flood of requests for one delays a request for another by about one run.
 */
export class Device {
  /** Threads that may compute at once, >= 1. */
  readonly threads: number;
  /** Where its versions gather their batches. */
  readonly gathering = new Gathering();
  #free: number;
  /** The start tag of the run that was granted last, in thread-milliseconds of one share. */
  #virtualMs = 0;
  readonly #waiting = new Set<DeviceShare>();

  constructor(threads: number) {
    this.threads = Math.max(1, threads);
    this.#free = this.threads;
  }

  /** Threads that no run holds. */
  get free(): number {
    return this.#free;
  }

  /** Whether a run of so many threads could start now, and nobody waits who would have to go on waiting for it. */
  hasRoomFor(threads: number): boolean {
    return this.#waiting.size === 0 && this.#free >= threads;
  }

  /**
   * One version's part of the device.
   *
   * @param threads that one of its runs uses; more than there are count as all of them
   * @param onPermit called when a permit is kept for it which it had to wait for: it takes it, or gives it back
   */
  share(threads: number, onPermit: () => void): DeviceShare {
    const grant = (share: DeviceShare): boolean => this.#grant(share);
    return new DeviceShare(Math.min(threads, this.threads), onPermit, {
      hasRoom: (share) => this.hasRoomFor(share.threads),
      acquire: grant,
      release: (share, usedMs) => {
        this.#release(share, usedMs);
      },
      forget: (share) => {
        if (this.#waiting.delete(share)) this.#offer();
      },
    });
  }

  #grant(share: DeviceShare): boolean {
    if (this.#waiting.size === 0 && this.#free >= share.threads) {
      this.#start(share);
      return true;
    }
    this.#waiting.add(share);
    return false;
  }

  #start(share: DeviceShare): void {
    this.#free -= share.threads;
    this.#virtualMs = share.start(this.#virtualMs);
  }

  #release(share: DeviceShare, usedMs: number): void {
    this.#free += share.threads;
    share.charge(usedMs * share.threads);
    this.#offer();
  }

  /** A run that needs more threads than are free holds the others up, so that it isn't starved by small ones. */
  #offer(): void {
    for (let next = this.#next(); next !== undefined && this.#free >= next.threads; next = this.#next()) {
      this.#waiting.delete(next);
      this.#start(next);
      next.keep();
    }
  }

  #next(): DeviceShare | undefined {
    let next: DeviceShare | undefined;
    for (const share of this.#waiting) if (next === undefined || share.usedMs < next.usedMs) next = share;
    return next;
  }
}

interface Grants {
  hasRoom(share: DeviceShare): boolean;
  acquire(share: DeviceShare): boolean;
  release(share: DeviceShare, usedMs: number): void;
  forget(share: DeviceShare): void;
}

/** What one version may use of a device, and has used. */
export class DeviceShare {
  readonly threads: number;
  readonly #onPermit: () => void;
  readonly #grants: Grants;
  /** Permits that are kept for it. */
  #kept = 0;
  /** Where its next run starts, in the device's virtual time. */
  #usedMs = 0;

  constructor(threads: number, onPermit: () => void, grants: Grants) {
    this.threads = threads;
    this.#onPermit = onPermit;
    this.#grants = grants;
  }

  /** The start tag of its next run. */
  get usedMs(): number {
    return this.#usedMs;
  }

  /** Whether a permit would be granted at once, and is of use to nobody else. */
  get hasRoom(): boolean {
    return this.#kept === 0 && this.#grants.hasRoom(this);
  }

  /** Takes a permit for one run; false: there is none, and `onPermit` is called when one is kept. */
  acquire(): boolean {
    if (this.#kept === 0) return this.#grants.acquire(this);
    this.#kept -= 1;
    return true;
  }

  /** Gives back what is kept for it and is of no use, and waits for no more. */
  decline(): void {
    this.#grants.forget(this);
    while (this.#kept > 0) {
      this.#kept -= 1;
      this.#grants.release(this, 0);
    }
  }

  /** Gives a permit back after a run of so many milliseconds. */
  release(usedMs: number): void {
    this.#grants.release(this, usedMs);
  }

  /** For the device: a run begins. Returns its start tag. */
  start(virtualMs: number): number {
    this.#usedMs = Math.max(virtualMs, this.#usedMs);
    return this.#usedMs;
  }

  /** For the device: a run ended. */
  charge(threadMs: number): void {
    this.#usedMs += threadMs;
  }

  /** For the device: a permit was granted that it had waited for. */
  keep(): void {
    this.#kept += 1;
    this.#onPermit();
  }
}
