import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { Type } from 'typebox';
import type { TSchema } from 'typebox';

const { root } = protobuf.parse(readFileSync(new URL('model-config.proto', import.meta.url), 'utf8'), {
  keepCase: true,
});
root.resolveAll();

/** Triton's ModelConfig: what a `config.pbtxt` holds. */
export const ModelConfigMessage = root.lookupType('inference.ModelConfig');

/** The names of an enum of {@link ModelConfigMessage}'s package, as `DataType`. */
export function enumNames(name: string): readonly string[] {
  return Object.keys(root.lookupEnum(`inference.${name}`).values);
}

/** The schema of a field that nothing acts on: its names and types are checked all the same. */
export function schemaOfField(message: string, name: string): TSchema {
  const field = root.lookupType(`inference.${message}`).fields[name];
  if (field === undefined) throw new Error(`${message} has no field ${name}`);
  return schemaOf(field);
}

function schemaOf(field: protobuf.FieldBase): TSchema {
  const value = valueSchema(field);
  if (field instanceof protobuf.MapField) return Type.Record(Type.String(), value, { expected: 'a map' });
  return field.repeated ? Type.Array(value, { expected: 'a list' }) : value;
}

function valueSchema({ resolvedType, type }: protobuf.FieldBase): TSchema {
  if (resolvedType instanceof protobuf.Enum) return Type.Enum(Object.keys(resolvedType.values));
  if (resolvedType instanceof protobuf.Type) {
    const fields = resolvedType.fieldsArray.map((field) => [field.name, Type.Optional(schemaOf(field))]);
    return Type.Object(Object.fromEntries(fields), { additionalProperties: false, expected: 'a map' });
  }
  switch (type) {
    case 'string':
      return Type.String({ expected: 'a text' });
    case 'bool':
      return Type.Boolean({ expected: 'true or false' });
    case 'float':
    case 'double':
      return Type.Number({ expected: 'a number' });
    default:
      return Type.Integer({ expected: 'a whole number' });
  }
}
