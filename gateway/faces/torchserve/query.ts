import { invalid } from '../../json-values.ts';

/** The query of a call of TorchServe's management API. */
export class ManagementQuery {
  readonly #values: Readonly<Record<string, unknown>>;

  /**
   * @param known the parameters that the call takes
   * @throws GatewayError where there are others: what they ask for would not be done
   */
  constructor(query: unknown, known: readonly string[]) {
    this.#values = query as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(this.#values).find((name) => !known.includes(name));
    if (unknown === undefined) return;
    const taken = known.length === 0 ? 'the call takes none' : `the call takes ${known.join(', ')}`;
    throw invalid(`the query has the unknown parameter '${unknown.slice(0, 64)}'; ${taken}`);
  }

  /** @throws GatewayError */
  whole(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw invalid(`${name} is '${text.slice(0, 64)}'; expected a whole number from ${min} to ${max}`);
  }

  /**
   * In any case: Python writes `True`.
   *
   * @throws GatewayError
   */
  flag(name: string): boolean {
    const text = this.text(name) ?? 'false';
    const value = text.toLowerCase();
    if (value === 'true' || value === 'false') return value === 'true';
    throw invalid(`${name} is '${text.slice(0, 64)}'; expected true or false`);
  }

  /** @throws GatewayError */
  text(name: string): string | undefined {
    const value = this.#values[name];
    if (value === undefined || typeof value === 'string') return value;
    throw invalid(`${name} stands several times in the query; expected it once`);
  }
}
