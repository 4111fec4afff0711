import { described, isRecord, mapValues } from '../described.ts';

/** The schemas that a document has once, under their names, and refers to everywhere else. */
export class Components {
  readonly #named = new Map<string, { readonly source: object; schema: unknown }>();

  /**
   * A schema as it stands in the document.
   *
   * @throws Error where two schemas have one name
   */
  place(schema: unknown): unknown {
    if (!isRecord(schema) || typeof schema.$id !== 'string')
      return mapValues(schema, (inner) => this.place(inner));
    const { $id, ...rest } = schema;
    const known = this.#named.get($id);
    if (known === undefined) {
      const entry = { source: schema, schema: undefined as unknown };
      this.#named.set($id, entry);
      entry.schema = described(mapValues(rest, (inner) => this.place(inner)));
    } else if (JSON.stringify(known.source) !== JSON.stringify(schema)) {
      throw new Error(`two schemas are called ${$id}`);
    }
    return { $ref: `#/components/schemas/${$id}` };
  }

  /** By name. */
  get schemas(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      [...this.#named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { schema }]) => [name, schema]),
    );
  }
}
