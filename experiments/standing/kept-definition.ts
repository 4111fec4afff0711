/** The text of an experiment's file as it is kept where others can read it, in the state store and in backups. */
export interface KeptDefinition {
  readonly definition: string;
  /** SHA-256 of the file's own text. */
  readonly digest: string;
}

/** In the place of a header's value. */
const IN_THE_FILE = 'stands in the file';

const CREDENTIALS = /(?<=:\/\/)[^/?#\s@]*@/g;

/**
 * What is kept of a file: its text, where nothing in it opens a door elsewhere; else the same as JSON, which YAML can read, without the values of
 * headers that go to variants' servers and without passwords in addresses.
 *
 * @param data what the text says
 */
export function keptDefinition(text: string, data: unknown): string {
  const kept = JSON.stringify(data, function (this: unknown, key, value: unknown) {
    if (key === 'headers' && isMap(value) && isMap(this) && 'url' in this) {
      return Object.fromEntries(Object.keys(value).map((name) => [name, IN_THE_FILE]));
    }
    return typeof value === 'string' ? value.replace(CREDENTIALS, '') : value;
  });
  return kept === JSON.stringify(data) ? text : kept;
}

/**
 * A kept definition, as what it says, with the headers that a file has today for the variants of the same names; a variant that the file hasn't any more
 * is called without.
 */
export function withHeadersOf(kept: unknown, file: unknown): unknown {
  if (!isMap(kept) || !Array.isArray(kept.variants)) return kept;
  const variants = kept.variants.map((variant: unknown) => {
    if (!isMap(variant) || !isMap(variant.upstream)) return variant;
    const upstream = Object.fromEntries(
      Object.entries(variant.upstream).filter(([key]) => key !== 'headers'),
    );
    const headers = headersIn(file, variant.name);
    return { ...variant, upstream: headers === undefined ? upstream : { ...upstream, headers } };
  });
  return { ...kept, variants };
}

function headersIn(file: unknown, name: unknown): unknown {
  const variants: readonly unknown[] = isMap(file) && Array.isArray(file.variants) ? file.variants : [];
  const variant = variants.filter(isMap).find((candidate) => candidate.name === name);
  return isMap(variant?.upstream) ? variant.upstream.headers : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
