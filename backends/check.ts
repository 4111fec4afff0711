import { BackendError } from './errors.ts';
import type { InferRequest } from './inference.ts';
import type { BytesTensor, Tensor, TensorSpec } from './tensor/tensor.ts';
import { elementCount } from './tensor/tensor.ts';

/** What a version takes and gives, as requests are checked against it. */
export interface ModelSignature {
  readonly model: string;
  /** With the batch dimension, where there is one, as the first: -1. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Rows a request may have; 0 for a model that doesn't batch. */
  readonly maxBatchSize: number;
  /** Whether its BYTES may be any bytes; left out: UTF-8 text only. */
  readonly takesAnyBytes?: boolean;
}

/** A request that fits the model. */
export interface CheckedRequest {
  /** Its inputs in the model's order. */
  readonly request: InferRequest;
  readonly rows: number;
  /** Requests with the same lane can share a batch. */
  readonly lane: string;
}

/** @throws BackendError `invalid_input` with what was sent and what the model takes */
export function checkRequest(signature: ModelSignature, request: InferRequest): CheckedRequest {
  const { model, inputs: specs, maxBatchSize } = signature;
  checkNames(signature, request);
  const inputs: Tensor[] = [];
  for (const spec of specs) {
    const input = named(request.inputs, spec.name);
    if (input === undefined) {
      const sent = request.inputs.length;
      throw invalid(
        `expected ${specs.length} inputs but got ${sent} for model '${model}': "${spec.name}" is missing`,
      );
    }
    checkTensor(signature, spec, input);
    inputs.push(input);
  }

  const isOrdered = inputs.every((input, position) => input === request.inputs[position]);
  const ordered = isOrdered ? request : { ...request, inputs };
  if (maxBatchSize === 0) return { request: ordered, rows: 1, lane: '' };
  const rows = inputs[0]?.shape[0] ?? 1;
  const odd = inputs.find((input) => input.shape[0] !== rows);
  if (odd !== undefined) {
    throw invalid(
      `input '${odd.name}' for model '${model}' has ${odd.shape[0] ?? 0} rows, but '${inputs[0]?.name ?? ''}' has ${rows}`,
    );
  }
  if (rows < 1 || rows > maxBatchSize) {
    throw invalid(
      `inference request batch-size must be from 1 to ${maxBatchSize} for '${model}', got ${rows}`,
    );
  }
  return { request: ordered, rows, lane: laneOf(specs, inputs) };
}

function checkNames({ model, inputs, outputs }: ModelSignature, request: InferRequest): void {
  const known = (specs: readonly TensorSpec[]): string => specs.map((spec) => spec.name).join(', ');
  for (const input of request.inputs) {
    const { name } = input;
    if (named(inputs, name) === undefined) {
      throw invalid(
        `unexpected inference input '${name}' for model '${model}'; its inputs are: ${known(inputs)}`,
      );
    }
    if (named(request.inputs, name) !== input)
      throw invalid(`input '${name}' for model '${model}' is there twice`);
  }
  for (const name of request.outputs ?? []) {
    if (named(outputs, name) === undefined) {
      throw invalid(
        `unexpected inference output '${name}' for model '${model}'; its outputs are: ${known(outputs)}`,
      );
    }
  }
}

function checkTensor({ model, takesAnyBytes }: ModelSignature, spec: TensorSpec, input: Tensor): void {
  if (input.datatype !== spec.datatype) {
    throw invalid(
      `inference input '${input.name}' data-type is '${input.datatype}', but model '${model}' expects '${spec.datatype}'`,
    );
  }
  if (!fits(input.shape, spec.shape)) {
    throw invalid(
      `unexpected shape for input '${input.name}' for model '${model}'. ` +
        `Expected [${spec.shape.join(',')}], got [${input.shape.join(',')}]`,
    );
  }
  const expected = elementCount(input.shape);
  if (input.data.length !== expected) {
    throw invalid(
      `input '${input.name}' for model '${model}' has ${input.data.length} elements; ` +
        `its shape [${input.shape.join(',')}] takes ${expected}`,
    );
  }
  if (input.datatype === 'BYTES' && takesAnyBytes !== true) checkStrings(input);
}

/** What would reach the model as another string is refused. */
function checkStrings({ name, data }: BytesTensor): void {
  const raw = data.findIndex((text) => typeof text !== 'string');
  if (raw >= 0) throw invalid(`input '${name}' has bytes in its element ${raw} that are not UTF-8 text`);
  const cut = data.findIndex((text) => typeof text === 'string' && text.includes('\0'));
  if (cut >= 0) {
    throw invalid(`input '${name}' has a zero byte in its element ${cut}, where ONNX Runtime would cut it`);
  }
  const broken = data.findIndex((text) => typeof text === 'string' && !text.isWellFormed());
  if (broken >= 0) {
    throw invalid(
      `input '${name}' has half of a surrogate pair in its element ${broken}, which is no UTF-8 text`,
    );
  }
}

/** The first of that name. Models have few inputs, and this is asked for every request. */
function named<Named extends { readonly name: string }>(
  among: readonly Named[],
  name: string,
): Named | undefined {
  for (const candidate of among) if (candidate.name === name) return candidate;
  return undefined;
}

/** @param expected -1 where any size will do */
function fits(shape: readonly number[], expected: readonly number[]): boolean {
  if (shape.length !== expected.length) return false;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis];
    if (size === undefined || !Number.isInteger(size) || size < 0) return false;
    if (expected[axis] !== -1 && expected[axis] !== size) return false;
  }
  return true;
}

/** The sizes that the model leaves free and the request chose; empty where only the rows are free. */
function laneOf(specs: readonly TensorSpec[], inputs: readonly Tensor[]): string {
  const varies = specs.some((spec) => spec.shape.indexOf(-1, 1) > 0);
  return varies ? inputs.map((input) => input.shape.slice(1).join('x')).join(',') : '';
}

function invalid(message: string): BackendError {
  return new BackendError('invalid_input', message);
}
