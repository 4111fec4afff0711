import {
  LineCounter,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  parseDocument,
  visit,
} from 'yaml';
import type { Document, Node, YAMLError } from 'yaml';
import { InvalidDocuments, fileProblem } from './problem.ts';
import type { Problem } from './problem.ts';
import { formatPath } from './source-document.ts';
import type { Path, SourceDocument } from './source-document.ts';

export { formatPath };
export type { Path };

/** More aliases than any hand-written file has; an alias bomb needs millions. */
const MAX_ALIASES = 100;

/** A text that is no YAML at all breaks at every line; the first places say enough. */
const MAX_SYNTAX_ERRORS = 20;

/** A parsed YAML file that still knows where each value stands. */
export type YamlDocument = SourceDocument;

/**
 * Parses one YAML document.
 *
 * @param file how messages name the document
 * @throws InvalidDocuments on a syntax error, a key given twice, several documents in one file or too many aliases
 */
export function parseYaml(text: string, file: string): YamlDocument {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true, merge: false, logLevel: 'error' });
  const placed = (offset: number, message: string): Problem => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line, column: col, path: '', message };
  };
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const told = faults.slice(0, MAX_SYNTAX_ERRORS);
    throw new InvalidDocuments(told.map((error) => placed(error.pos[0], syntaxMessage(error, text))));
  }
  refuseBadAliases(document, placed);
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidDocuments([fileProblem(file, `${reason} (at most ${MAX_ALIASES} are resolved)`)]);
  }
  return {
    file,
    data,
    problemAt(path, message) {
      const offset = offsetOf(document, path);
      const { line, col } = lineCounter.linePos(offset);
      return { file, line, column: col, path: formatPath(path), message };
    },
  };
}

function syntaxMessage(error: YAMLError, text: string): string {
  if (error.code === 'DUPLICATE_KEY') {
    const [key = ''] = /^[^:\n,}]*/.exec(text.slice(error.pos[0], error.pos[0] + 64)) ?? [];
    return `the key ${key.trim()} is there twice; leave one of them out`;
  }
  if (error.code === 'MULTIPLE_DOCS') return 'a second document starts here; expected one document a file';
  const firstLine = error.message.split('\n')[0] ?? error.message;
  return firstLine.replace(/ at line \d+, column \d+:?$/, '');
}

/**
 * An alias needs an anchor before it, and one that stands inside what it repeats would never end. YAML 1.2 has no merge keys: where one was meant, it
 * is told by name, and not as the keys that are missing then.
 */
function refuseBadAliases(document: Document, placed: (offset: number, message: string) => Problem): void {
  const problems: Problem[] = [];
  visit(document, {
    Alias(_, alias, ancestors) {
      const target = alias.resolve(document);
      const offset = startOf(alias) ?? 0;
      if (target === undefined)
        problems.push(placed(offset, `*${alias.source} has no anchor &${alias.source} before it`));
      else if (ancestors.includes(target))
        problems.push(placed(offset, `*${alias.source} stands inside its own anchor`));
    },
    Pair(_, { key, value }) {
      if (isScalar(key) && key.value === '<<' && key.type === 'PLAIN' && isAlias(value))
        problems.push(
          placed(
            startOf(key) ?? 0,
            `<<: *${value.source} is a merge key, which YAML 1.2 has not; write its keys out`,
          ),
        );
    },
  });
  if (problems.length > 0) throw new InvalidDocuments(problems);
}

function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === part,
      );
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
      if (isScalar(node) && node.value !== null) offset = startOf(node) ?? offset;
    } else {
      node = node.items[Number(part)];
      offset = startOf(node) ?? offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
