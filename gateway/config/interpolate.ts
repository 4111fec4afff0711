import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { Problem } from '../../documents/problem.ts';
import type { Path, YamlDocument } from '../../documents/yaml-document.ts';

/** The environment that `${NAME}` is taken from. */
export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** A string that is a reference and nothing else. */
const ONLY_REFERENCE = /^\$\{[^}]*\}$/;

/** A document with its references replaced. */
export interface Interpolated {
  readonly document: YamlDocument;
  /** References to names without a default that are not set; the texts that have them are null. */
  readonly unset: readonly Problem[];
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` inside the strings of a document. The environment has texts only: what stands for all of a number
 * or of a boolean becomes one, where its text is one.
 *
 * @param schema says where numbers and booleans stand
 */
export function interpolate(document: YamlDocument, environment: Environment, schema: TSchema): Interpolated {
  const unset: Problem[] = [];
  const whole: Path[] = [];
  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      const before = unset.length;
      const replaced = value.replace(REFERENCE, (_, name: string, fallback: string | undefined) => {
        const found = Object.hasOwn(environment, name) ? environment[name] : undefined;
        if (found !== undefined && (found !== '' || fallback === undefined)) return found;
        if (fallback !== undefined) return fallback;
        const message = `names the environment variable ${name}, which is not set; set it, or write \${${name}:-default}`;
        unset.push(document.problemAt(path, message));
        return '';
      });
      if (unset.length > before) return null;
      if (ONLY_REFERENCE.test(value)) whole.push(path);
      return replaced;
    }
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]),
      );
    }
    return value;
  };
  const data = visit(document.data, []);
  if (whole.length > 0) retype(data, whole, Value.Convert(schema, structuredClone(data)));
  return { document: { ...document, data }, unset };
}

/** Takes numbers and booleans of those places from what fits a schema; a text that is none stays, for the schema's own words. */
function retype(data: unknown, paths: readonly Path[], fitting: unknown): void {
  for (const path of paths) {
    const key = path.at(-1);
    const [holder, other] = [data, fitting].map((root) => valueAt(root, path.slice(0, -1)));
    if (key === undefined || !isHolder(holder) || !isHolder(other)) continue;
    const value = other[key];
    if (typeof value === 'number' || typeof value === 'boolean') holder[key] = value;
  }
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isHolder(value) ? value[key] : undefined), root);
}

/** A map or a list. */
function isHolder(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
