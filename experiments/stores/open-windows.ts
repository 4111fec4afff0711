/** A unit whose window has not been closed. */
export interface OpenUnit {
  readonly unit: string;
  readonly windowMs: number;
  readonly closesMs: number;
}

/** Windows that close within the same minute are kept together, so that a look finds those that are due without a look at the others. */
const BUCKET_MS = 60_000;

/** The windows of a phase's units that have not been closed, by the minute in which they close. */
export class OpenWindows {
  readonly #buckets = new Map<number, Map<string, OpenUnit>>();

  add(open: OpenUnit): void {
    const minute = Math.floor(open.closesMs / BUCKET_MS);
    let bucket = this.#buckets.get(minute);
    if (bucket === undefined) {
      bucket = new Map();
      this.#buckets.set(minute, bucket);
    }
    bucket.set(`${open.unit} ${open.windowMs}`, open);
  }

  /** Takes those that are due: they are open no more. */
  takeDue(nowMs: number): readonly OpenUnit[] {
    const due: OpenUnit[] = [];
    for (const [minute, bucket] of this.#buckets) {
      if (minute * BUCKET_MS > nowMs) continue;
      for (const [key, open] of bucket) {
        if (open.closesMs > nowMs) continue;
        bucket.delete(key);
        due.push(open);
      }
      if (bucket.size === 0) this.#buckets.delete(minute);
    }
    return due;
  }
}
