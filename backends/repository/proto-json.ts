import protobuf from 'protobufjs';

/**
 * A message's JSON as plain data. Protocol buffers write whole numbers of 64 bits as strings, and read all whole numbers as either (ProtoJSON, "JSON
 * representation"): a client that was told a configuration over gRPC sends it back so. What is no such number is left for whoever checks it.
 *
 * @param type the message, of a root that was parsed with `keepCase` and resolved
 */
export function fromProtoJson(value: unknown, type: protobuf.Type): unknown {
  return mapped(value, (item, name) => {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
    return field === undefined ? item : fieldValue(item, field);
  });
}

function fieldValue(value: unknown, field: protobuf.Field): unknown {
  if (field instanceof protobuf.MapField) return mapped(value, (item) => singleValue(item, field));
  if (!field.repeated) return singleValue(value, field);
  return Array.isArray(value) ? value.map((item: unknown) => singleValue(item, field)) : value;
}

const WHOLE_TYPES: ReadonlySet<string> = new Set(['int32', 'uint32', 'int64', 'uint64']);

function singleValue(value: unknown, { resolvedType, type }: protobuf.Field): unknown {
  if (resolvedType instanceof protobuf.Type) return fromProtoJson(value, resolvedType);
  const isNumber =
    WHOLE_TYPES.has(type) && typeof value === 'string' && /^-?(0|[1-9][0-9]{0,15})$/.test(value);
  return isNumber ? Number(value) : value;
}

function mapped(value: unknown, to: (item: unknown, name: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, to(item, name)]));
}
