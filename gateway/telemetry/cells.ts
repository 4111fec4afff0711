/**
 * Counters and histograms whose series are looked up once and then only added to. Prometheus' client hashes the labels at
 * every observation, which costs a request as much as routing and decoding together; it still does the exposition.
 */

export type Labels = Readonly<Record<string, string>>;

/** One line of the exposition, in the shape that the registry reads. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Where it isn't the family's own name. */
  readonly metricName?: string;
}

export class CounterCell {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  add(amount: number): void {
    this.#value += amount;
  }
}

export class HistogramCell {
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
  samples(name: string, labels: Labels): readonly Sample[] {
    let count = 0;
    const buckets = [...this.#bounds, '+Inf'].map((le, bucket): Sample => {
      count += this.#counts[bucket] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/** A metric and all its series, as the registry reads it. */
export class CellFamily<Cell> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  readonly aggregator = 'sum';
  readonly #create: () => Cell;
  readonly #read: (cell: Cell, labels: Labels) => readonly Sample[];
  readonly #cells = new Map<string, { readonly labels: Labels; readonly cell: Cell }>();

  static counter(name: string, help: string): CellFamily<CounterCell> {
    const read = ({ value }: CounterCell, labels: Labels): readonly Sample[] => [{ labels, value }];
    return new CellFamily(name, help, 'counter', () => new CounterCell(), read);
  }

  /** @param bounds upper bounds of the buckets, ascending */
  static histogram(name: string, help: string, bounds: readonly number[]): CellFamily<HistogramCell> {
    const read = (cell: HistogramCell, labels: Labels): readonly Sample[] => cell.samples(name, labels);
    return new CellFamily(name, help, 'histogram', () => new HistogramCell(bounds), read);
  }

  private constructor(
    name: string,
    help: string,
    type: 'counter' | 'histogram',
    create: () => Cell,
    read: (cell: Cell, labels: Labels) => readonly Sample[],
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#create = create;
    this.#read = read;
  }

  /** The series of these labels; the same labels give the same one. */
  cell(labels: Labels): Cell {
    const key = JSON.stringify(Object.values(labels));
    const known = this.#cells.get(key)?.cell;
    if (known !== undefined) return known;
    const cell = this.#create();
    this.#cells.set(key, { labels, cell });
    return cell;
  }

  /** What the registry asks at each scrape. */
  get(): Promise<
    Pick<this, 'name' | 'help' | 'type' | 'aggregator'> & { readonly values: readonly Sample[] }
  > {
    const values = [...this.#cells.values()].flatMap(({ labels, cell }) => this.#read(cell, labels));
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}
