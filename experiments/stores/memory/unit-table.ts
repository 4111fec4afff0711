import type { UnitState } from '../ledger.ts';
import { grown, KeyIndex, keyText, parseKey } from './key-index.ts';

/** Values of one metric, a row for each unit. */
interface ValueColumn {
  /** 0: no value; else one more than the unit's own mark of whether the value has entered the test. */
  entered: Uint8Array<ArrayBuffer>;
  x: Float64Array<ArrayBuffer>;
  y: Float64Array<ArrayBuffer>;
}

const MARKS = [0, 1, 2] as const;
const IS_EXPOSED = 1;
const IS_SWITCHED = 2;

/**
 * The units of a phase, packed: each is a row of numbers in columns that all share, and becomes a {@link UnitState} when it is asked for.
 * As objects of their own they would take ten times the memory.
 */
export class UnitTable {
  readonly #index = new KeyIndex();
  /** The variants and epochs that units entered in, and each one's number. */
  readonly #entries: Pick<UnitState, 'v' | 'e'>[] = [];
  readonly #entryNumbers = new Map<string, number>();
  #entry = new Uint32Array(this.#index.capacity);
  #uidHigh = new Uint32Array(this.#index.capacity);
  #uidLow = new Uint32Array(this.#index.capacity);
  #timeMs = new Float64Array(this.#index.capacity);
  #flags = new Uint8Array(this.#index.capacity);
  readonly #values = new Map<string, ValueColumn>();

  get size(): number {
    return this.#index.size;
  }

  /** @returns -1 where the unit has not come */
  rowOf(unit: string): number {
    return this.#index.find(parseKey(unit));
  }

  unitAt(row: number): string {
    const { high, low } = this.#index.keyAt(row);
    return keyText(high, low);
  }

  /** When the unit of a row was first exposed, in milliseconds since 1970. */
  timeMsAt(row: number): number {
    return this.#timeMs[row] ?? NaN;
  }

  /** Undefined for a row that no unit has. */
  at(row: number): UnitState | undefined {
    const entry = row < 0 ? undefined : this.#entries[this.#entry[row] ?? -1];
    if (entry === undefined || row >= this.size) return undefined;
    const flags = this.#flags[row] ?? 0;
    const values = [...this.#values].flatMap(([name, { entered, x, y }]) => {
      const state = entered[row] ?? 0;
      const mark = MARKS[state - 1];
      return mark === undefined ? [] : [[name, [x[row] ?? 0, y[row] ?? 0, mark] as const] as const];
    });
    return {
      ...entry,
      u: keyText(this.#uidHigh[row] ?? 0, this.#uidLow[row] ?? 0),
      t: this.#timeMs[row] ?? 0,
      ...((flags & IS_EXPOSED) !== 0 && { x: 1 as const }),
      ...((flags & IS_SWITCHED) !== 0 && { s: 1 as const }),
      ...(values.length > 0 && { m: Object.fromEntries(values) }),
    };
  }

  /** @returns the unit's row */
  set(unit: string, { v, e, u, t, x, s, m }: UnitState): number {
    const key = parseKey(unit);
    const uid = parseKey(u);
    let row = this.#index.find(key);
    if (row < 0) {
      row = this.#index.add(key);
      if (this.#index.capacity > this.#entry.length) this.#grow();
    }
    this.#entry[row] = this.#entryNumber(v, e);
    this.#uidHigh[row] = uid.high;
    this.#uidLow[row] = uid.low;
    this.#timeMs[row] = t;
    this.#flags[row] = (x === 1 ? IS_EXPOSED : 0) | (s === 1 ? IS_SWITCHED : 0);
    if (m !== undefined) {
      for (const [name, [valueX, valueY, hasEntered]] of Object.entries(m)) {
        const column = this.#columnOf(name);
        column.x[row] = valueX;
        column.y[row] = valueY;
        column.entered[row] = hasEntered + 1;
      }
    }
    return row;
  }

  #entryNumber(v: string, e: number): number {
    const name = `${e} ${v}`;
    let number = this.#entryNumbers.get(name);
    if (number === undefined) {
      number = this.#entries.push({ v, e }) - 1;
      this.#entryNumbers.set(name, number);
    }
    return number;
  }

  #columnOf(name: string): ValueColumn {
    let column = this.#values.get(name);
    if (column === undefined) {
      const { capacity } = this.#index;
      column = {
        entered: new Uint8Array(capacity),
        x: new Float64Array(capacity),
        y: new Float64Array(capacity),
      };
      this.#values.set(name, column);
    }
    return column;
  }

  #grow(): void {
    const { capacity } = this.#index;
    this.#entry = grown(this.#entry, capacity);
    this.#uidHigh = grown(this.#uidHigh, capacity);
    this.#uidLow = grown(this.#uidLow, capacity);
    this.#timeMs = grown(this.#timeMs, capacity);
    this.#flags = grown(this.#flags, capacity);
    for (const column of this.#values.values()) {
      column.entered = grown(column.entered, capacity);
      column.x = grown(column.x, capacity);
      column.y = grown(column.y, capacity);
    }
  }
}
