import type { Datatype } from '../../backends/tensor/datatype.ts';
import { elementCount } from '../../backends/tensor/tensor.ts';
import { NOTHING, invalid } from '../json-values.ts';
import type { JsonObject } from '../json-values.ts';

/** Dimensions of a tensor; ONNX Runtime itself has models of six at most in practice. */
export const MAX_RANK = 32;

/** Of one dimension; what a tensor has in all is held against what came of it. */
export const LARGEST_DIMENSION = 2 ** 31;

/** Inputs, and outputs, that a request may name. */
const MOST_TENSORS = 10_000;

/** Elements of all BYTES tensors of a request. */
const MOST_STRINGS = 250_000;

/** Values of all parameters of a request, and how deep one lies in the others. */
const MOST_PARAMETERS = 10_000;
const DEEPEST_PARAMETER = 100;

/**
 * What a request is made of, counted as it is read. Numbers are blocks of memory, however many there are; each input, string and parameter is an object
 * of its own, which the main thread makes even where another one read it: some millions, for which a body has room, would hold it for seconds.
 */
export class RequestCounts {
  #strings = 0;
  #parameters = 0;

  /** @throws GatewayError */
  tensors(kind: 'inputs' | 'outputs', count: number): void {
    if (count > MOST_TENSORS) throw tooMany(kind, MOST_TENSORS);
  }

  /** @throws GatewayError */
  tensor({ datatype, shape }: { readonly datatype: Datatype; readonly shape: readonly number[] }): void {
    if (datatype !== 'BYTES') return;
    this.#strings += elementCount(shape);
    if (this.#strings > MOST_STRINGS) throw tooMany('elements of BYTES tensors', MOST_STRINGS);
  }

  /** @throws GatewayError */
  parameters(parameters: JsonObject): void {
    if (parameters === NOTHING) return;
    this.#count(Object.values(parameters), 1);
  }

  /**
   * Further ones that have nothing in them.
   *
   * @throws GatewayError
   */
  flatParameters(count: number): void {
    this.#parameters += count;
    if (this.#parameters > MOST_PARAMETERS) throw tooMany('values among its parameters', MOST_PARAMETERS);
  }

  #count(values: readonly unknown[], depth: number): void {
    this.flatParameters(values.length);
    if (depth > DEEPEST_PARAMETER)
      throw invalid(`the request's parameters are nested more than ${DEEPEST_PARAMETER} deep`);
    for (const value of values) {
      if (typeof value === 'object' && value !== null) this.#count(Object.values(value), depth + 1);
    }
  }
}

function tooMany(what: string, most: number): Error {
  return invalid(`the request has more than ${most} ${what}; at most so many are read`);
}
