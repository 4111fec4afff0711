export type Json = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function mapValues(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]));
}

/**
 * A schema as JSON Schema 2020-12 has it: its words for what is expected stand where readers look for them, and tuples are written as since that
 * draft.
 */
export function described(schema: unknown): unknown {
  const inner = mapValues(schema, described);
  if (!isRecord(inner)) return inner;
  const { expected } = inner;
  // What a terminal doesn't repeat, an editor shows to whoever writes it.
  const rest = Object.fromEntries(
    Object.entries(inner).filter(([key]) => key !== 'expected' && key !== 'secret'),
  );
  const worded =
    typeof expected === 'string' && !('description' in rest)
      ? { description: expected, ...rest }
      : typeof expected === 'string'
        ? rest
        : inner;
  if (!Array.isArray(worded.items)) return worded;
  const { items, additionalItems, ...others } = worded;
  return { ...others, prefixItems: items, ...(additionalItems === false && { items: false }) };
}
