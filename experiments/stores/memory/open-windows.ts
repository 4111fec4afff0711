/** A unit whose window has to be closed. */
export interface DueWindow {
  /** The unit's row in the table of units. */
  readonly row: number;
  readonly windowMs: number;
}

/** Windows that close within the same minute are kept together, so that a look finds those that are due without a look at the others. */
const BUCKET_MS = 60_000;

/**
 * The windows of a phase's units that have not been closed, by their length and the minute in which they close. When exactly is not kept: a unit's
 * time says it.
 */
export class OpenWindows {
  readonly #startMsOf: (row: number) => number;
  readonly #minutes = new Map<number, Map<number, number[]>>();

  /** @param startMsOf when a unit's windows began, in milliseconds since 1970 */
  constructor(startMsOf: (row: number) => number) {
    this.#startMsOf = startMsOf;
  }

  add(row: number, windowMs: number): void {
    let minutes = this.#minutes.get(windowMs);
    if (minutes === undefined) {
      minutes = new Map();
      this.#minutes.set(windowMs, minutes);
    }
    const minute = Math.floor((this.#startMsOf(row) + windowMs) / BUCKET_MS);
    const rows = minutes.get(minute);
    if (rows === undefined) minutes.set(minute, [row]);
    else rows.push(row);
  }

  /** Takes those that are due: they are open no more. */
  takeDue(nowMs: number): readonly DueWindow[] {
    const due: DueWindow[] = [];
    for (const [windowMs, minutes] of this.#minutes) {
      for (const [minute, rows] of minutes) {
        if (minute * BUCKET_MS > nowMs) continue;
        const open = rows.filter((row) => {
          const isOpen = this.#startMsOf(row) + windowMs > nowMs;
          if (!isOpen) due.push({ row, windowMs });
          return isOpen;
        });
        if (open.length === 0) minutes.delete(minute);
        else minutes.set(minute, open);
      }
    }
    return due;
  }
}
