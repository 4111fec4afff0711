import type { Outcome } from '../ledger.ts';
import { grown, KeyIndex, parseKey } from './key-index.ts';

/** Until when each prediction's outcome of one metric is known. */
class ClaimTable {
  index = new KeyIndex();
  untilMs = new Float64Array(this.index.capacity);
}

/** Which outcomes were counted, packed: 25 bytes or so for each, where a text and a map's entry would take two hundred. */
export class OutcomeClaims {
  readonly #tables = new Map<string, ClaimTable>();

  /** Claims that are remembered, those that have run out too. */
  get size(): number {
    let size = 0;
    for (const { index } of this.#tables.values()) size += index.size;
    return size;
  }

  /** Whether the outcome was counted, and that is remembered at `nowMs`. */
  has(outcome: Outcome, nowMs: number): boolean {
    const table = this.#tables.get(nameOf(outcome));
    const row = table === undefined ? -1 : table.index.find(parseKey(outcome.uid));
    return row >= 0 && (table?.untilMs[row] ?? 0) > nowMs;
  }

  /** Whether a claim of that outcome takes no further room: it has been there, and has run out. */
  hasRoomFor(outcome: Outcome): boolean {
    const found = this.#tables.get(nameOf(outcome))?.index.find(parseKey(outcome.uid));
    return found !== undefined && found >= 0;
  }

  add(outcome: Outcome): void {
    const name = nameOf(outcome);
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new ClaimTable();
      this.#tables.set(name, table);
    }
    const key = parseKey(outcome.uid);
    const found = table.index.find(key);
    const row = found < 0 ? table.index.add(key) : found;
    if (table.index.capacity > table.untilMs.length) {
      table.untilMs = grown(table.untilMs, table.index.capacity);
    }
    table.untilMs[row] = outcome.expiresMs;
  }

  /** Forgets those that have run out. */
  purge(nowMs: number): void {
    for (const [name, { index, untilMs }] of this.#tables) {
      const kept = new ClaimTable();
      for (let row = 0; row < index.size; row++) {
        const until = untilMs[row] ?? 0;
        if (until <= nowMs) continue;
        const at = kept.index.add(index.keyAt(row));
        if (kept.index.capacity > kept.untilMs.length) {
          kept.untilMs = grown(kept.untilMs, kept.index.capacity);
        }
        kept.untilMs[at] = until;
      }
      if (kept.index.size === 0) this.#tables.delete(name);
      else this.#tables.set(name, kept);
    }
  }
}

function nameOf({ experiment, phase, metric }: Outcome): string {
  return `${experiment} ${phase} ${metric.name}`;
}
