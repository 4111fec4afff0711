import type { TSchema } from 'typebox';
import type { Problem } from '../../documents/problem.ts';
import type { Path, SourceDocument } from '../../documents/source-document.ts';
import { unsupportedIn } from './model-config-schema.ts';

/** A schema's node, as JSON Schema names its parts. */
interface Node {
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly patternProperties?: Readonly<Record<string, TSchema>>;
  readonly items?: TSchema;
  readonly enum?: readonly unknown[];
}

/** The fields of a valid document that are known but not supported, where they ask for something. */
export function unsupportedFields(document: SourceDocument, schema: TSchema): readonly Problem[] {
  const found: Problem[] = [];
  const visit = (node: TSchema, value: unknown, path: Path): void => {
    const instead = unsupportedIn(node);
    if (instead !== undefined) {
      if (!isDefault(node, value)) found.push(document.problemAt(path, `is not supported: ${instead}`));
      return;
    }
    const { items } = node as Node;
    if (Array.isArray(value)) {
      if (items !== undefined)
        value.forEach((item, index) => {
          visit(items, item, [...path, index]);
        });
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const next = schemaOfKey(node, key);
      if (next !== undefined) visit(next, inner, [...path, key]);
    }
  };
  visit(schema, document.data, []);
  return found;
}

function schemaOfKey(schema: TSchema, key: string): TSchema | undefined {
  const { properties, patternProperties = {} } = schema as Node;
  if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key];
  return Object.values(patternProperties)[0];
}

/** A field that has protobuf's default asks for nothing; configurations written by machines have them all. */
function isDefault(schema: TSchema, value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).every(([key, inner]) => {
      const next = schemaOfKey(schema, key);
      return next !== undefined && isDefault(next, inner);
    });
  }
  const names = (schema as Node).enum;
  return names === undefined ? value === false || value === 0 || value === '' : value === names[0];
}
