import { braced, headOf, numberText, written } from './format.ts';
import type { Family, Format, Labels } from './format.ts';

/** One series, as it stands now. */
export type Sample = readonly [labels: Labels, value: number];

/** A metric that is kept elsewhere, and read at each scrape. */
export class ReadFamily implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #type: 'counter' | 'gauge';
  readonly #read: () => Iterable<Sample>;

  static gauge(name: string, help: string, read: () => Iterable<Sample>): ReadFamily {
    return new ReadFamily(name, help, 'gauge', read);
  }

  /** @param read sums that only grow */
  static counter(name: string, help: string, read: () => Iterable<Sample>): ReadFamily {
    return new ReadFamily(name, help, 'counter', read);
  }

  private constructor(name: string, help: string, type: 'counter' | 'gauge', read: () => Iterable<Sample>) {
    this.#name = name;
    this.#help = help;
    this.#type = type;
    this.#read = read;
  }

  write(format: Format): string {
    let text = headOf(this.#name, this.#help, this.#type, format);
    for (const [labels, value] of this.#read())
      text += `${this.#name}${braced(written(Object.entries(labels)))} ${numberText(value)}\n`;
    return text;
  }
}
