import { GatewayError } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function invalid(message: string): GatewayError {
  return new GatewayError('invalid_request', message);
}

/**
 * @param of whose JSON it is, as an error calls it
 * @throws GatewayError with JSON's own words for what is wrong
 */
export function parseJson(text: string, of = 'request'): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const nonFinite = /(^|[[,:\s])-?(NaN|Infinity|inf)\b/i.exec(text.slice(0, 100_000));
    const hint = nonFinite === null ? '' : ' (JSON has no NaN or Infinity: send such tensors as binary data)';
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('invalid_request', `failed to parse the ${of} JSON: ${reason}${hint}`, {
      cause,
    });
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectAt(value: unknown, where: string): JsonObject {
  if (!isObject(value)) throw invalid(`${where} is ${nameOf(value)}; expected an object`);
  return value;
}

/** An own key's value: what an object inherits is never taken for what the caller sent. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** As {@link own}; undefined for null too, which Python's clients and servers write for what they leave out. */
export function optionalAt(object: JsonObject, key: string): unknown {
  return own(object, key) ?? undefined;
}

export function arrayAt(object: JsonObject, key: string, where: string): readonly unknown[] {
  const value = own(object, key);
  if (!Array.isArray(value)) throw invalid(`${where}.${key} is ${nameOf(value)}; expected a list`);
  return value;
}

export function stringAt(object: JsonObject, key: string, where: string): string {
  const value = own(object, key);
  if (typeof value !== 'string') throw invalid(`${where}.${key} is ${nameOf(value)}; expected a string`);
  return value;
}

export function optionalObjectAt(object: JsonObject, key: string, where: string): JsonObject {
  const value = optionalAt(object, key);
  return value === undefined ? NOTHING : objectAt(value, `${where}.${key}`);
}

/** What an object that is left out stands for. */
export const NOTHING: JsonObject = Object.freeze({});

/** A boolean parameter; false where it is left out. */
export function flagAt(object: JsonObject, key: string, where: string): boolean {
  const value = own(object, key) ?? false;
  if (typeof value !== 'boolean')
    throw invalid(`${where}.${key} is ${nameOf(value)}; expected true or false`);
  return value;
}

export function nameOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 60))}`;
  if (typeof value === 'bigint') return `the number ${value}`;
  // JSON has larger ones than a double; what was sent of them is not known any more.
  if (value === Infinity || value === -Infinity) return 'a number beyond the largest double';
  return `the ${typeof value} ${JSON.stringify(value)}`;
}

/** A value of a tensor's `data` that its datatype can't hold. */
export function misfit(value: unknown, datatype: string, where: string, index: number): GatewayError {
  return invalid(`${where}.data[${index}] is ${nameOf(value)}, which is not a ${datatype}`);
}
