import { allocateUnsafe, toNumbers } from '../../../backends/tensor/datatype.ts';
import type { NumericArray, NumericDatatype } from '../../../backends/tensor/datatype.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { GatewayError } from '../../errors.ts';
import { invalid, nameOf } from './json-values.ts';

/** The whole numbers that a type holds. JSON's numbers are exact up to 2^53. */
const RANGES: Partial<Record<NumericDatatype, readonly [min: number, max: number]>> = {
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/**
 * Reads a tensor's `data`, flat or nested along its shape.
 *
 * @param where how messages name the tensor
 * @throws GatewayError where the data doesn't fit the type or the shape
 */
export function tensorFromJson(
  head: { readonly name: string; readonly datatype: Tensor['datatype']; readonly shape: readonly number[] },
  data: readonly unknown[],
  where: string,
): Tensor {
  const { name, datatype, shape } = head;
  const length = shape.reduce((count, size) => count * size, 1);
  const values = Array.isArray(data[0]) ? flatten(data, shape, where) : data;
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
  const wide = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw misfit(value, datatype, where, index);
    }
    if (wide) array[index] = BigInt(value);
    else array[index] = value;
  }
}

function misfit(value: unknown, datatype: Tensor['datatype'], where: string, index: number): GatewayError {
  const big = datatype.endsWith('INT64') && typeof value === 'number' && !Number.isSafeInteger(value);
  const hint = big ? '; JSON numbers are exact up to 2^53 only, so send it as binary data' : '';
  return invalid(`${where}.data[${index}] is ${nameOf(value)}, which is not a ${datatype}${hint}`);
}

/** Nested lists in row-major order; each level must be as long as the shape says. */
function flatten(data: readonly unknown[], shape: readonly number[], where: string): readonly unknown[] {
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

/**
 * A tensor's elements as JSON values, flat.
 *
 * @throws GatewayError `non_finite_output`, and for whole numbers beyond those that JSON carries exactly
 */
export function tensorToJson(tensor: Tensor): readonly (number | string | boolean)[] {
  if (tensor.datatype === 'BYTES') return tensor.data;
  const { name, datatype, data } = tensor;
  if (datatype === 'BOOL') return Array.from(data as Uint8Array, (value) => value !== 0);
  const values = toNumbers(datatype, data);
  const wide = datatype === 'INT64' || datatype === 'UINT64';
  if (!values.every(wide ? Number.isSafeInteger : Number.isFinite)) {
    const what = wide ? 'whole numbers beyond 2^53' : 'NaN or infinite values';
    throw new GatewayError(
      'non_finite_output',
      `output '${name}' has ${what}, which JSON can't carry; ` +
        'ask for it as binary data ("parameters": {"binary_data_output": true})',
    );
  }
  return values;
}
