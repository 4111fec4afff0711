/** What became of one fault. */
export interface Finding {
  readonly fault: string;
  /** What callers saw while it lasted. */
  readonly saw: string;
  /** What was lost of that which had been acknowledged, and what was let go by rule. */
  readonly lost: string;
  /** What was not as before at the end of the fault (of a crash: at the crash), and when it was again. */
  readonly recovery: readonly Recovery[];
  /** What was not as it should be. */
  readonly problems: readonly string[];
}

export interface Recovery {
  readonly what: string;
  /** From the end of the fault, in milliseconds. */
  readonly afterMs: number;
}

/** How hard a fault is tried: as the chaos run does, or as a test has time for. */
export interface Scale {
  /** How long a fault lasts that has an end. */
  readonly faultMs: number;
  /** Connections that are opened against it. */
  readonly connections: number;
  readonly workerDeaths: number;
  /** How often the process is killed. */
  readonly kills: number;
  /** What a connection has that is no use to anybody. */
  readonly idleMs: number;
}

export const FULL: Scale = { faultMs: 10_000, connections: 10_000, workerDeaths: 40, kills: 5, idleMs: 3000 };
export const SHORT: Scale = { faultMs: 700, connections: 300, workerDeaths: 2, kills: 2, idleMs: 2000 };

/** A fault that is tried. */
export interface Fault {
  readonly name: string;
  /** @returns what came of it, or why it could not be tried on this machine */
  run(scale: Scale): Promise<Finding | string>;
}

/** The longest that anything is waited for; what takes longer counts as hanging. */
const LONGEST_WAIT_MS = 100_000;

/** Resolves when it holds. @throws Error naming what didn't come about in time */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const startMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startMs > LONGEST_WAIT_MS)
      throw new Error(`waited ${LONGEST_WAIT_MS / 1000} s in vain until ${what}`);
    await pause(20);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
