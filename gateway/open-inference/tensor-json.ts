import { allocateUnsafe, toNumbers } from '../../backends/tensor/datatype.ts';
import type { NumericArray, NumericDatatype } from '../../backends/tensor/datatype.ts';
import type { BytesTensor, Tensor } from '../../backends/tensor/tensor.ts';
import { GatewayError } from '../errors.ts';
import { invalid, misfit, nameOf } from '../json-values.ts';
import type { WholeNumbers } from './whole-numbers.ts';
import { isWide, jsonDigits, wideFromJson } from './whole-numbers.ts';

/** The whole numbers that a type of up to 32 bits holds. */
const RANGES: Partial<Record<NumericDatatype, readonly [min: number, max: number]>> = {
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
};

/** Where a tensor's `data` stands in its request. */
export interface JsonPlace {
  /** How messages name the tensor. */
  readonly where: string;
  /** The input's number. */
  readonly input: number;
  readonly wholeNumbers: WholeNumbers;
}

/**
 * Reads a tensor's `data`, flat or nested along its shape.
 *
 * @throws GatewayError where the data doesn't fit the type or the shape
 */
export function tensorFromJson(
  head: { readonly name: string; readonly datatype: Tensor['datatype']; readonly shape: readonly number[] },
  data: readonly unknown[],
  { where, input, wholeNumbers }: JsonPlace,
): Tensor {
  const { name, datatype, shape } = head;
  const length = shape.reduce((count, size) => count * size, 1);
  const values = flatten(data, shape, where);
  if (values.length !== length) {
    throw invalid(
      `${where} has ${values.length} elements in its data; its shape [${shape.join(',')}] takes ${length}`,
    );
  }
  if (datatype === 'BYTES') {
    const strings = values.map((value, index) => {
      if (typeof value !== 'string') throw misfit(value, datatype, where, index);
      return value;
    });
    return { name, datatype, shape, data: strings };
  }
  if (isWide(datatype)) {
    const exact = (): readonly unknown[] => flatten(wholeNumbers.dataOf(input), shape, where);
    return { name, datatype, shape, data: wideFromJson(datatype, values, exact, where) };
  }
  return { name, datatype, shape, data: numbersFromJson(datatype, values, where) };
}

function numbersFromJson(datatype: NumericDatatype, values: readonly unknown[], where: string): NumericArray {
  if (datatype === 'FP16') {
    const halves = new Float16Array(values.length);
    fillFloats(halves, values, datatype, where);
    return new Uint16Array(halves.buffer);
  }
  const array = allocateUnsafe(datatype, values.length);
  if (array instanceof Float32Array || array instanceof Float64Array)
    fillFloats(array, values, datatype, where);
  else if (datatype === 'BOOL') fillBooleans(array as Uint8Array, values, where);
  else fillIntegers(array, values, datatype, where);
  return array;
}

function fillFloats(
  array: Float16Array | Float32Array | Float64Array,
  values: readonly unknown[],
  datatype: NumericDatatype,
  where: string,
): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number') throw misfit(value, datatype, where, index);
    array[index] = value;
    // A number beyond the type's largest would become an infinity on the way.
    if (!Number.isFinite(array[index])) throw misfit(value, datatype, where, index);
  }
}

function fillBooleans(array: Uint8Array, values: readonly unknown[], where: string): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value !== true && value !== false && value !== 0 && value !== 1)
      throw misfit(value, 'BOOL', where, index);
    array[index] = Number(value);
  }
}

function fillIntegers(
  array: NumericArray,
  values: readonly unknown[],
  datatype: NumericDatatype,
  where: string,
): void {
  const [min, max] = RANGES[datatype] ?? [0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw misfit(value, datatype, where, index);
    }
    array[index] = value;
  }
}

/** Nested lists in row-major order, where each level must be as long as the shape says; what is flat stays as it is. */
function flatten(data: readonly unknown[], shape: readonly number[], where: string): readonly unknown[] {
  if (!Array.isArray(data[0])) return data;
  const flat: unknown[] = [];
  const visit = (level: readonly unknown[], depth: number): void => {
    if (level.length !== shape[depth]) {
      throw invalid(
        `${where}.data has a list of ${level.length} at depth ${depth}; its shape is [${shape.join(',')}]`,
      );
    }
    for (const item of level) {
      if (depth === shape.length - 1) flat.push(item);
      else if (Array.isArray(item)) visit(item, depth + 1);
      else throw invalid(`${where}.data has ${nameOf(item)} at depth ${depth + 1}; expected a list`);
    }
  };
  visit(data, 0);
  return flat;
}

/** @throws GatewayError `non_finite_output` where an element has no JSON */
export function refuseWhatJsonLacks(tensor: Tensor): void {
  const { name, datatype, data } = tensor;
  if (tensor.datatype === 'BYTES') textsOf(tensor);
  else if (datatype === 'FP16' && data instanceof Uint16Array) {
    // All bits of the exponent are set in infinities and NaN.
    if (data.some((bits) => (bits & 0x7c00) === 0x7c00)) throw nonFinite(name);
  } else if (data instanceof Float32Array || data instanceof Float64Array) {
    for (const value of data) if (!Number.isFinite(value)) throw nonFinite(name);
  }
}

function nonFinite(name: string): GatewayError {
  return new GatewayError(
    'non_finite_output',
    `output '${name}' has NaN or infinite values, which JSON can't carry; ` +
      'ask for it as binary data ("parameters": {"binary_data_output": true})',
  );
}

/**
 * A tensor's elements as JSON values, flat; `JSON.stringify` writes all the digits of each.
 *
 * @throws GatewayError `non_finite_output`
 */
export function tensorToJson(tensor: Tensor): readonly (number | string | boolean | object)[] {
  if (tensor.datatype === 'BYTES') return textsOf(tensor);
  const { name, datatype, data } = tensor;
  if (datatype === 'BOOL') return Array.from(data as Uint8Array, (value) => value !== 0);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data, jsonDigits);
  const values = toNumbers(datatype, data);
  let hasNegativeZero = false;
  for (const value of values) {
    if (!Number.isFinite(value)) throw nonFinite(name);
    if (value === 0 && 1 / value < 0) hasNegativeZero = true;
  }
  return hasNegativeZero ? values.map((value) => (Object.is(value, -0) ? NEGATIVE_ZERO : value)) : values;
}

function textsOf({ name, data }: BytesTensor): readonly string[] {
  return data.map((element) => {
    if (typeof element === 'string') return element;
    throw new GatewayError(
      'non_finite_output',
      `output '${name}' has bytes that are not UTF-8 text, which JSON can't carry; ` +
        'ask for it as binary data ("parameters": {"binary_data_output": true})',
    );
  });
}

/** `JSON.stringify` writes -0 without its sign, and readers take it for a whole number where there is no point. */
const NEGATIVE_ZERO = JSON.rawJSON('-0.0');
