/**
 * 64-bit integers in JSON. A number of JSON is read as a double, which is exact up to 2^53, and has halves up to 2^52; beyond
 * that the digits that were sent have to be read once more, and written digit by digit.
 */
import type { NumericDatatype } from '../../backends/tensor/datatype.ts';
import { NOTHING, invalid, isObject, misfit, own } from '../json-values.ts';
import type { JsonObject } from '../json-values.ts';

declare global {
  // ECMAScript's source text access, which TypeScript's libraries do not have yet.
  interface JSON {
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
    rawJSON(text: string): object;
  }
}

/** From here on a double may stand for a fraction, or for another whole number, that was sent. */
const INEXACT_FROM = 2 ** 52;

/** A request's or an answer's JSON, read a second time with its large whole numbers as bigints: only when one of them is met. */
export class WholeNumbers {
  readonly #text: string;
  readonly #list: 'inputs' | 'outputs';
  #root: unknown;

  /**
   * @param text valid JSON
   * @param list where the tensors stand
   */
  constructor(text: string, list: 'inputs' | 'outputs' = 'inputs') {
    this.#text = text;
    this.#list = list;
  }

  /**
   * The `data` of a tensor, in which whole numbers from 2^52 on are bigints.
   *
   * @throws GatewayError where the JSON is nested too deeply to be read so
   */
  dataOf(tensor: number): readonly unknown[] {
    const found = this.#tensor(this.#list, tensor);
    const data = isObject(found) ? own(found, 'data') : undefined;
    return Array.isArray(data) ? data : [];
  }

  /**
   * The request's own parameters, in which whole numbers that a double can't hold are bigints: ids of 64 bits that differ in their last digits
   * are different units.
   *
   * @param parameters as they were read first
   * @throws GatewayError as {@link dataOf}
   */
  exactly(parameters: JsonObject): JsonObject {
    return withExactNumbers(parameters, () => {
      const root = this.#exactRoot();
      return isObject(root) ? own(root, 'parameters') : undefined;
    });
  }

  /**
   * As {@link exactly}, of the parameters of a single tensor.
   *
   * @param tensor its place in the list
   */
  exactlyOf(list: 'inputs' | 'outputs', tensor: number, parameters: JsonObject): JsonObject {
    return withExactNumbers(parameters, () => {
      const found = this.#tensor(list, tensor);
      return isObject(found) ? own(found, 'parameters') : undefined;
    });
  }

  #tensor(list: 'inputs' | 'outputs', at: number): unknown {
    const root = this.#exactRoot();
    const tensors: unknown = isObject(root) ? own(root, list) : undefined;
    return Array.isArray(tensors) ? tensors[at] : undefined;
  }

  #exactRoot(): unknown {
    return (this.#root ??= readExactly(this.#text));
  }
}

/**
 * An object with its own values as they are, but for whole numbers that a double can't hold: these are bigints.
 *
 * @param again the same object, read exactly; asked for where there is such a number
 */
export function withExactNumbers(values: JsonObject, again: () => unknown): JsonObject {
  if (values === NOTHING || !Object.values(values).some(isInexact)) return values;
  const exact = again();
  if (!isObject(exact)) return values;
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, isInexact(value) ? own(exact, name) : value]),
  );
}

function isInexact(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) >= INEXACT_FROM;
}

/**
 * Reads JSON that was read before, with its large whole numbers as bigints.
 *
 * @throws GatewayError where it is nested too deeply to be read so
 */
export function readExactly(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value, { source }) =>
      isInexact(value) && source !== undefined ? (wholeNumber(source) ?? value) : value,
    );
  } catch (cause) {
    // Read plainly it was valid; with a look at each value the reader calls itself at each level.
    if (cause instanceof RangeError)
      throw invalid('the request JSON is nested too deeply for whole numbers beyond 2^52 beside it');
    throw cause;
  }
}

/** What 64 bits hold has fewer digits than this. */
const MAX_DIGITS = 20;

/** The value of a JSON number if it is whole, however it is written; undefined where it isn't, or is beyond all 64 bits. */
function wholeNumber(source: string): bigint | undefined {
  const parts = /^(-?)0*(\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = '', power = '0'] = parts;
  const digits = (whole + fraction).replace(/^0+/, '');
  const zeros = Number(power) - fraction.length;
  if (digits.length + zeros > MAX_DIGITS) return undefined;
  if (zeros >= 0) return BigInt(sign + digits + '0'.repeat(zeros));
  // Beyond the point there may be zeros only.
  return /^0*$/.test(digits.slice(zeros)) ? BigInt(sign + digits.slice(0, zeros)) : undefined;
}

export type WideDatatype = 'INT64' | 'UINT64';

export function isWide(datatype: NumericDatatype): datatype is WideDatatype {
  return datatype === 'INT64' || datatype === 'UINT64';
}

/**
 * @param exactly gives the values once more, with whole numbers from 2^52 on as bigints; called when there are some
 * @throws GatewayError for what is not a whole number of the type
 */
export function wideFromJson(
  datatype: WideDatatype,
  values: readonly unknown[],
  exactly: () => readonly unknown[],
  where: string,
): BigInt64Array | BigUint64Array {
  const isSigned = datatype === 'INT64';
  const array = isSigned ? new BigInt64Array(values.length) : new BigUint64Array(values.length);
  let read = values;
  for (let index = 0; index < read.length; index++) {
    let value = read[index];
    if (typeof value === 'number' && Math.abs(value) >= INEXACT_FROM && read === values) {
      read = exactly();
      value = read[index];
    }
    const whole = isExact(value) ? BigInt(value) : value;
    if (
      typeof whole !== 'bigint' ||
      (isSigned ? BigInt.asIntN(64, whole) : BigInt.asUintN(64, whole)) !== whole
    ) {
      throw misfit(value, datatype, where, index);
    }
    array[index] = whole;
  }
  return array;
}

function isExact(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < INEXACT_FROM;
}

/** A 64-bit integer as `JSON.stringify` takes it, which then writes all its digits. */
export function jsonDigits(value: bigint): number | object {
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : JSON.rawJSON(value.toString());
}
