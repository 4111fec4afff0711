/**
 * Counters and histograms whose series are looked up once and then only added to, and are written as text from labels that were
 * escaped once. Prometheus' client hashes the labels at every observation, which costs a request as much
 * as routing and decoding together, and makes an object of every line at every scrape.
 */
import { boundText, braced, headOf, written } from './format.ts';
import type { Family, Format, Labels, MetricType } from './format.ts';

/** One series of a family. */
interface Cell {
  /** Its lines, each with its line feed. */
  write(name: string, labels: string, format: Format): string;
}

export class CounterCell implements Cell {
  #value = 0;

  add(amount: number): void {
    this.#value += amount;
  }

  write(name: string, labels: string): string {
    return `${name}${braced(labels)} ${this.#value}\n`;
  }
}

/** An observation that can be looked at: whoever sees its bucket finds its trace. */
interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export class HistogramCell implements Cell {
  readonly #bounds: readonly number[];
  /** Observations by the bucket they fall into; the last one is beyond all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;
  /** The last traced observation of each bucket; undefined while there is none of any. */
  #exemplars: (Exemplar | undefined)[] | undefined;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** @param traceId of the request that was observed, where it is traced */
  observe(value: number, traceId?: string): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? Infinity)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
    if (traceId !== undefined) (this.#exemplars ??= [])[bucket] = { traceId, value, atMs: Date.now() };
  }

  /** Buckets count what is at most their bound, as Prometheus has them. */
  write(name: string, labels: string, format: Format): string {
    const separator = labels === '' ? '' : ',';
    const start = `${name}_bucket{${labels}${separator}le="`;
    let text = '';
    let count = 0;
    for (const [bucket, bound] of this.#bounds.entries()) {
      count += this.#counts[bucket] ?? 0;
      text += `${start}${boundText(bound)}"} ${count}${this.#exemplarText(bucket, format)}\n`;
    }
    const beyond = this.#bounds.length;
    count += this.#counts[beyond] ?? 0;
    text += `${start}+Inf"} ${count}${this.#exemplarText(beyond, format)}\n`;
    const all = braced(labels);
    return `${text}${name}_sum${all} ${this.#sum}\n${name}_count${all} ${count}\n`;
  }

  /** Only OpenMetrics has them. */
  #exemplarText(bucket: number, format: Format): string {
    const exemplar = this.#exemplars?.[bucket];
    if (exemplar === undefined || format === 'text') return '';
    const { traceId, value, atMs } = exemplar;
    return ` # {trace_id="${traceId}"} ${value} ${atMs / 1000}`;
  }
}

/** A metric and all its series. */
export class CellFamily<Of extends Cell> implements Family {
  readonly name: string;
  readonly #heads: Readonly<Record<Format, string>>;
  readonly #create: () => Of;
  /** By their labels in the order of the names, so that the order in which they are given makes no other series. */
  readonly #cells = new Map<string, { readonly given: Labels; readonly labels: string; readonly cell: Of }>();
  /** By their labels as they were given, so that one that is asked for at every request is not sorted and escaped each time. */
  readonly #asGiven = new Map<string, Of>();

  static counter(name: string, help: string): CellFamily<CounterCell> {
    return new CellFamily(name, help, 'counter', () => new CounterCell());
  }

  /** @param bounds upper bounds of the buckets, ascending */
  static histogram(name: string, help: string, bounds: readonly number[]): CellFamily<HistogramCell> {
    return new CellFamily(name, help, 'histogram', () => new HistogramCell(bounds));
  }

  private constructor(name: string, help: string, type: MetricType, create: () => Of) {
    this.name = name;
    this.#heads = {
      text: headOf(name, help, type, 'text'),
      openmetrics: headOf(name, help, type, 'openmetrics'),
    };
    this.#create = create;
  }

  /** The series of these labels; the same labels give the same one. */
  cell(labels: Labels): Of {
    let given = '';
    for (const name in labels) given += `${name}\0${labels[name] ?? ''}\0`;
    let cell = this.#asGiven.get(given);
    if (cell === undefined) {
      cell = this.#sorted(labels);
      this.#asGiven.set(given, cell);
    }
    return cell;
  }

  #sorted(labels: Labels): Of {
    const key = written(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#cells.get(key);
    if (known !== undefined) return known.cell;
    const cell = this.#create();
    this.#cells.set(key, { given: { ...labels }, labels: written(Object.entries(labels)), cell });
    return cell;
  }

  /** Takes series out of the exposition. Whoever keeps one has to look it up anew: what is added to it is told to nobody. */
  forget(isMeant: (labels: Labels) => boolean): void {
    for (const [key, { given }] of this.#cells) if (isMeant(given)) this.#cells.delete(key);
    this.#asGiven.clear();
  }

  write(format: Format): string {
    let text = this.#heads[format];
    for (const { labels, cell } of this.#cells.values()) text += cell.write(this.name, labels, format);
    return text;
  }
}

/** Families in the order in which they are made, which is that of the exposition: one that is made can't be left out of it. */
export class CellFamilies {
  readonly #all: (Family & Pick<CellFamily<Cell>, 'forget'>)[] = [];

  get all(): readonly Family[] {
    return this.#all;
  }

  /** Of all families; see {@link CellFamily.forget}. */
  forget(isMeant: (labels: Labels) => boolean): void {
    for (const family of this.#all) family.forget(isMeant);
  }

  counter(name: string, help: string): CellFamily<CounterCell> {
    return this.#with(CellFamily.counter(name, help));
  }

  /** @param bounds upper bounds of the buckets, ascending */
  histogram(name: string, help: string, bounds: readonly number[]): CellFamily<HistogramCell> {
    return this.#with(CellFamily.histogram(name, help, bounds));
  }

  #with<Of extends Cell>(family: CellFamily<Of>): CellFamily<Of> {
    this.#all.push(family);
    return family;
  }
}
