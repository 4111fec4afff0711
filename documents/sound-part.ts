import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';

/**
 * What of a document's data fits the schema, so that the rest of it can be looked at beside what doesn't. Left out is what is wrong: a value, a map
 * that lacks something, and a list as a whole, since what stands behind a place would move.
 *
 * @param least stands in for what has to be there
 */
export function soundPart<Schema extends TSchema>(
  schema: Schema,
  data: unknown,
  least: Static<Schema>,
): Static<Schema> {
  let part = completed(structuredClone(data), least);
  while (!Value.Check(schema, part)) {
    // An unknown key is told twice, of its map and of itself.
    const pointers = Value.Errors(schema, part).flatMap(({ keyword, instancePath }) =>
      keyword === 'additionalProperties' ? [] : [instancePath],
    );
    const left = pointers.filter((pointer) => leaveOut(part, pointer));
    if (left.length === 0) return least;
    part = completed(part, least);
  }
  return part;
}

function completed(part: unknown, least: unknown): unknown {
  if (!isHolder(least)) return part ?? least;
  const map = isHolder(part) ? part : {};
  for (const [key, value] of Object.entries(least)) map[key] = completed(map[key], value);
  return map;
}

/** @returns whether it was there */
function leaveOut(root: unknown, pointer: string): boolean {
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  let holder = root;
  for (const [index, key] of path.entries()) {
    if (!isHolder(holder) || !Object.hasOwn(holder, key)) return false;
    if (index === path.length - 1 || Array.isArray(holder[key])) return Reflect.deleteProperty(holder, key);
    holder = holder[key];
  }
  return false;
}

function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
