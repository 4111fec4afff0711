import type { Static, TSchema } from 'typebox';
import { Settings } from 'typebox/system';
import { Value } from 'typebox/value';
import { InvalidDocuments, inOrder } from './problem.ts';
import type { Problem } from './problem.ts';
import type { Path, SourceDocument } from './source-document.ts';

// All mistakes are told at once; the default stops after the first few.
Settings.Set({ maxErrors: Number.MAX_SAFE_INTEGER });

/** What TypeBox reports of a value that doesn't fit; the names are JSON Schema's. */
interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/**
 * Reads `document` as the schema's type.
 *
 * A schema may carry `expected`, the words that finish the sentence "expected …"; without it JSON Schema's own
 * words stand in. With `secret: true` what stands there is not repeated.
 *
 * @throws InvalidDocuments with every problem of the document, each at its line and column
 */
export function checkDocument<Schema extends TSchema>(
  document: SourceDocument,
  schema: Schema,
): Static<Schema> {
  const { data } = document;
  if (Value.Check(schema, data)) return data;
  throw new InvalidDocuments(misfitsOf(document, schema));
}

/** Every problem that the schema finds in the document, in the order of the file; none where it fits. */
export function misfitsOf(document: SourceDocument, schema: TSchema): readonly Problem[] {
  const problems = new Map<string, Problem>();
  const add = (path: Path, message: string): void => {
    const key = JSON.stringify(path);
    if (!problems.has(key)) problems.set(key, document.problemAt(path, message));
  };
  const errors: readonly SchemaError[] = Value.Errors(schema, document.data);
  const unions = errors
    .filter(({ keyword }) => keyword === 'anyOf')
    .map((union) => ({ union, meant: meantBranch(union, schema, document.data, errors) }));
  // A union reports its branches' errors before its own.
  const isPassedOver = (error: SchemaError): boolean =>
    unions.some(({ union, meant }) =>
      error === union
        ? meant !== undefined
        : isWithin(error, union, `${union.schemaPath}/anyOf`) &&
          !(meant !== undefined && isWithin(error, union, meant)),
    );
  for (const error of errors) {
    if (isPassedOver(error)) continue;
    const path = pathOf(error.instancePath, document.data);
    switch (error.keyword) {
      case 'required': {
        for (const key of stringsIn(error.params, 'requiredProperties')) {
          add(
            [...path, key],
            `is missing; expected ${expectedAt(schema, `${error.schemaPath}/properties/${key}`)}`,
          );
        }
        break;
      }
      case 'additionalProperties': {
        const known = Object.keys(schemaAt(schema, error.schemaPath)?.properties ?? {});
        for (const key of stringsIn(error.params, 'additionalProperties')) {
          add([...path, key], `is an unknown key; known here: ${known.join(', ')}`);
        }
        break;
      }
      case 'boolean':
        break; // The companion of `additionalProperties`, which says more.
      default: {
        const found = valueAt(document.data, path);
        const isSecret = schemaAt(schema, error.schemaPath)?.secret === true;
        add(
          path,
          `is ${isSecret ? showSecret(found) : show(found)}; expected ${expectedAt(schema, error.schemaPath, error.message)}`,
        );
      }
    }
  }
  return inOrder([...problems.values()]);
}

/**
 * Where just one branch of a union takes such a map or list, what is wrong inside is told of that branch; else only the union as a whole can say
 * what would be right.
 *
 * @returns the branch's place in the schema
 */
function meantBranch(
  union: SchemaError,
  schema: TSchema,
  data: unknown,
  errors: readonly SchemaError[],
): string | undefined {
  const value = valueAt(data, pathOf(union.instancePath, data));
  const node = schemaAt(schema, union.schemaPath);
  if (!isRecord(value) || !Array.isArray(node?.anyOf) || node.secret === true) return undefined;
  const alike = node.anyOf.flatMap((branch: unknown, index) =>
    takesAlike(branch, value) ? [{ branch, place: `${union.schemaPath}/anyOf/${index}` }] : [],
  );
  const complete = alike.filter(({ branch }) => requiredOf(branch).every((key) => Object.hasOwn(value, key)));
  const [meant, another] = alike.length === 1 ? alike : complete;
  if (meant === undefined || another !== undefined) return undefined;
  const isInside = (error: SchemaError): boolean =>
    error.instancePath !== union.instancePath ||
    error.keyword === 'required' ||
    error.keyword === 'additionalProperties';
  return errors.some((error) => isWithin(error, union, meant.place) && isInside(error))
    ? meant.place
    : undefined;
}

/** Whether the error is of the union's value, or of what is in it, and of that part of the schema. */
function isWithin(error: SchemaError, union: SchemaError, place: string): boolean {
  return (
    error !== union &&
    `${error.schemaPath}/`.startsWith(`${place}/`) &&
    `${error.instancePath}/`.startsWith(`${union.instancePath}/`)
  );
}

/** Whether the branch is of maps where the value is one, of lists where it is one. */
function takesAlike(branch: unknown, value: SchemaNode): boolean {
  if (!isRecord(branch)) return false;
  if (Array.isArray(branch.anyOf)) return branch.anyOf.some((each) => takesAlike(each, value));
  return branch.type === (Array.isArray(value) ? 'array' : 'object');
}

function requiredOf(branch: unknown): readonly string[] {
  return isRecord(branch) ? stringsIn(branch, 'required') : [];
}

type SchemaNode = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is SchemaNode {
  return typeof value === 'object' && value !== null;
}

function schemaAt(schema: TSchema, schemaPath: string): SchemaNode | undefined {
  let node: unknown = schema;
  for (const part of schemaPath.split('/').slice(1)) {
    node = isRecord(node) ? node[part] : undefined;
  }
  return isRecord(node) ? node : undefined;
}

function expectedAt(schema: TSchema, schemaPath: string, fallback = 'a value'): string {
  const node = schemaAt(schema, schemaPath);
  if (typeof node?.expected === 'string') return node.expected;
  const choices = Array.isArray(node?.enum) ? node.enum : undefined;
  if (choices !== undefined) return `one of ${choices.map(String).join(', ')}`;
  if (typeof node?.type === 'string' && fallback === 'a value') return `a value of type ${node.type}`;
  return fallback.replace(/^must (be|have|match) /, '').replace(/^must not have /, 'no ');
}

function pathOf(pointer: string, data: unknown): Path {
  const parts: (string | number)[] = [];
  let value = data;
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    parts.push(Array.isArray(value) ? Number(key) : key);
    value = isRecord(value) ? value[key] : undefined;
  }
  return parts;
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, part) => (isRecord(value) ? value[String(part)] : undefined), data);
}

function stringsIn(params: object, name: string): readonly string[] {
  const list: unknown = (params as SchemaNode)[name];
  return Array.isArray(list) ? list.map(String) : [];
}

/** A value as a message can show it: short, and never a whole subtree. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isRecord(value)) return 'a map';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'number') return String(value);
  return value === null ? 'empty' : JSON.stringify(value);
}

/** Of a value that nobody is to see, as much as helps to find the mistake. */
function showSecret(value: unknown): string {
  return typeof value === 'string' ? `a text of ${value.length} characters, which is not shown` : `no text`;
}
