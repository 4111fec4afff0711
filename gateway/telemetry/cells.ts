/**
 * Counters and histograms whose series are looked up once and then only added to, and are written as Prometheus' text from
 * labels that were escaped once. Prometheus' client hashes the labels at every observation, which costs a request as much
 * as routing and decoding together, and makes an object of every line at every scrape.
 *
 * Source of the format: Prometheus, "Text-based exposition format", version 0.0.4.
 */

export type Labels = Readonly<Record<string, string>>;

/** One series of a family. */
interface Cell {
  /** Its lines, each with its line feed. */
  write(name: string, labels: string): string;
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

export class HistogramCell implements Cell {
  readonly #bounds: readonly number[];
  /** Observations by the bucket they fall into; the last one is beyond all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? Infinity)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  /** Buckets count what is at most their bound, as Prometheus has them. */
  write(name: string, labels: string): string {
    const separator = labels === '' ? '' : ',';
    const start = `${name}_bucket{${labels}${separator}le="`;
    let text = '';
    let count = 0;
    for (const [bucket, bound] of this.#bounds.entries()) {
      count += this.#counts[bucket] ?? 0;
      text += `${start}${bound}"} ${count}\n`;
    }
    count += this.#counts[this.#bounds.length] ?? 0;
    const all = braced(labels);
    return `${text}${start}+Inf"} ${count}\n${name}_sum${all} ${this.#sum}\n${name}_count${all} ${count}\n`;
  }
}

/** A metric and all its series. */
export class CellFamily<Of extends Cell> {
  readonly name: string;
  readonly #head: string;
  readonly #create: () => Of;
  /** By their labels in the order of the names, so that the order in which they are given makes no other series. */
  readonly #cells = new Map<string, { readonly labels: string; readonly cell: Of }>();

  static counter(name: string, help: string): CellFamily<CounterCell> {
    return new CellFamily(name, help, 'counter', () => new CounterCell());
  }

  /** @param bounds upper bounds of the buckets, ascending */
  static histogram(name: string, help: string, bounds: readonly number[]): CellFamily<HistogramCell> {
    return new CellFamily(name, help, 'histogram', () => new HistogramCell(bounds));
  }

  private constructor(name: string, help: string, type: 'counter' | 'histogram', create: () => Of) {
    this.name = name;
    this.#head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    this.#create = create;
  }

  /** The series of these labels; the same labels give the same one. */
  cell(labels: Labels): Of {
    const key = written(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#cells.get(key);
    if (known !== undefined) return known.cell;
    const cell = this.#create();
    this.#cells.set(key, { labels: written(Object.entries(labels)), cell });
    return cell;
  }

  /** Its part of the exposition. */
  write(): string {
    let text = this.#head;
    for (const { labels, cell } of this.#cells.values()) text += cell.write(this.name, labels);
    return text;
  }
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

/** `model="digits",version="1"`, with what the format escapes escaped. */
function written(labels: readonly (readonly [string, string])[]): string {
  return labels
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => ESCAPED[char] ?? char)}"`)
    .join(',');
}

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
