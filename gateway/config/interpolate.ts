import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import type { Path, YamlDocument } from '../../documents/yaml-document.ts';

/** The environment that `${NAME}` is taken from. */
export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/**
 * Replaces `${NAME}` and `${NAME:-default}` inside the strings of a document.
 *
 * @throws InvalidDocuments where a name without a default is not set
 */
export function interpolate(document: YamlDocument, environment: Environment): YamlDocument {
  const problems: Problem[] = [];
  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      return value.replace(REFERENCE, (_, name: string, fallback: string | undefined) => {
        const found = Object.hasOwn(environment, name) ? environment[name] : undefined;
        if (found !== undefined && (found !== '' || fallback === undefined)) return found;
        if (fallback !== undefined) return fallback;
        const message = `names the environment variable ${name}, which is not set; set it, or write \${${name}:-default}`;
        problems.push(document.problemAt(path, message));
        return '';
      });
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
  if (problems.length > 0) throw new InvalidDocuments(problems);
  return { ...document, data };
}
