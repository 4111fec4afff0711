import { isUtf8 } from 'node:buffer';
import type { TensorParameters } from '../../backends/inference.ts';
import { DATATYPES, isDatatype } from '../../backends/tensor/datatype.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import {
  arrayAt,
  flagAt,
  NOTHING,
  invalid,
  nameOf,
  objectAt,
  optionalAt,
  optionalObjectAt,
  parseJson,
  stringAt,
} from '../json-values.ts';
import type { JsonObject } from '../json-values.ts';
import {
  ownTensorParameters,
  readClassification,
  readSchedulePolicy,
  refuseUnsupported,
} from './parameters.ts';
import type { NamedParameters, SchedulePolicy } from './parameters.ts';
import { LARGEST_DIMENSION, MAX_RANK, RequestCounts } from './request-limits.ts';
import { tensorFromBytes } from './tensor-binary.ts';
import { tensorFromJson } from './tensor-json.ts';
import { WholeNumbers } from './whole-numbers.ts';

/** How each output of a request is wanted. */
export interface WantedOutputs {
  /** The outputs that say for themselves whether they come as binary data. */
  readonly binaryByOutput: ReadonlyMap<string, boolean>;
  /** The outputs in whose place so many classes are wanted. */
  readonly classesByOutput: ReadonlyMap<string, number>;
  /** Whether outputs that say nothing of it come as binary data. */
  readonly binaryOutput: boolean;
}

/** An inference request of the Open Inference Protocol over HTTP, read. */
export interface V2Request extends WantedOutputs, SchedulePolicy {
  /** Sent back with the answer. */
  readonly id: string | undefined;
  readonly inputs: readonly Tensor[];
  /** The request's own parameters, as they were sent; whole numbers that a double can't hold are bigints. */
  readonly parameters: JsonObject;
  /** Those of single tensors that are not of the protocol itself; left out: there are none. */
  readonly tensorParameters?: TensorParameters | undefined;
  /** The names of the wanted outputs; left out: all of them. */
  readonly outputs?: readonly string[] | undefined;
}

/**
 * Reads a request's body.
 *
 * @param jsonBytes the header Inference-Header-Content-Length: bytes of JSON at the start of the body, before the binary
 *   data; undefined: all of it is JSON
 * @throws GatewayError
 */
export function readV2Request(body: Uint8Array, jsonBytes: number | undefined): V2Request {
  if (body.length === 0) throw invalid('the body is empty; expected a JSON object with "inputs"');
  if (jsonBytes !== undefined && jsonBytes > body.length) {
    throw invalid(
      `Inference-Header-Content-Length is ${jsonBytes}, but the body has only ${body.length} bytes`,
    );
  }
  const jsonPart = jsonBytes === undefined ? body : body.subarray(0, jsonBytes);
  const text = textOf(jsonPart);
  const root = objectAt(parseJson(text), 'the request');
  const parameters = optionalObjectAt(root, 'parameters', 'the request');
  const counts = new RequestCounts();
  counts.parameters(parameters);
  refuseUnsupported(parameters, 'the request');
  const binary = new BinaryPart(body.subarray(jsonPart.length));
  const wholeNumbers = new WholeNumbers(text);
  const parts = { binary, wholeNumbers, counts, parameters: [] as NamedParameters[] };
  const sent = arrayAt(root, 'inputs', 'the request');
  counts.tensors('inputs', sent.length);
  const inputs = sent.map((input, index) => readInput(input, index, parts));
  binary.expectEnd();
  const id = optionalAt(root, 'id');
  if (id !== undefined && typeof id !== 'string') throw invalid(`id is ${nameOf(id)}; expected a string`);
  const { outputs, binaryByOutput, classesByOutput, outputParameters } = readOutputs(root, parts);
  const { priority, timeoutMs } = readSchedulePolicy(parameters, 'the request');
  const binaryOutput = flagAt(parameters, 'binary_data_output', 'the request.parameters');
  return {
    id,
    inputs,
    parameters: wholeNumbers.exactly(parameters),
    tensorParameters: ownTensorParameters(parts.parameters, outputParameters),
    outputs,
    binaryByOutput,
    classesByOutput,
    binaryOutput,
    priority,
    timeoutMs,
  };
}

/** What the tensors of a request are read from, and what is found beside them. */
interface RequestParts {
  readonly binary: BinaryPart;
  readonly wholeNumbers: WholeNumbers;
  readonly counts: RequestCounts;
  /** Of its inputs. */
  readonly parameters: NamedParameters[];
}

function readInput(value: unknown, index: number, parts: RequestParts): Tensor {
  const { binary, wholeNumbers, counts } = parts;
  const place = `inputs[${index}]`;
  const input = objectAt(value, place);
  const name = stringAt(input, 'name', place);
  const where = `${place} ('${name.slice(0, 64)}')`;
  const datatype = stringAt(input, 'datatype', where);
  if (!isDatatype(datatype)) {
    if (datatype === 'BF16') {
      throw invalid(
        `${where}.datatype is 'BF16', which ONNX Runtime can't take from Node; convert it to FP32`,
      );
    }
    throw invalid(`${where}.datatype is '${datatype.slice(0, 64)}'; expected one of ${DATATYPES.join(', ')}`);
  }
  const head = { name, datatype, shape: readShape(input, where) };
  counts.tensor(head);
  const parameters = optionalObjectAt(input, 'parameters', where);
  counts.parameters(parameters);
  refuseUnsupported(parameters, where);
  if (parameters !== NOTHING)
    parts.parameters.push({ name, parameters: wholeNumbers.exactlyOf('inputs', index, parameters) });
  const size = optionalAt(parameters, 'binary_data_size');
  const data = optionalAt(input, 'data');
  if (size === undefined) {
    if (!Array.isArray(data)) throw invalid(`${where}.data is ${nameOf(data)}; expected a list`);
    return tensorFromJson(head, data, { where, input: index, wholeNumbers });
  }
  if (data !== undefined)
    throw invalid(`${where} has both data and binary_data_size; expected one of the two`);
  return tensorFromBytes(head, binary.take(size, where), where);
}

function readShape(input: JsonObject, where: string): readonly number[] {
  const shape = arrayAt(input, 'shape', where);
  if (shape.length > MAX_RANK)
    throw invalid(`${where}.shape has ${shape.length} dimensions; at most ${MAX_RANK} are read`);
  return shape.map((size, axis) => {
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > LARGEST_DIMENSION) {
      throw invalid(
        `${where}.shape[${axis}] is ${nameOf(size)}; expected a whole number from 0 to ${LARGEST_DIMENSION}`,
      );
    }
    return size;
  });
}

interface ReadOutputs extends Pick<V2Request, 'outputs' | 'binaryByOutput' | 'classesByOutput'> {
  readonly outputParameters: readonly NamedParameters[];
}

function readOutputs(
  root: JsonObject,
  { wholeNumbers, counts }: Pick<RequestParts, 'wholeNumbers' | 'counts'>,
): ReadOutputs {
  if (optionalAt(root, 'outputs') === undefined) return NOTHING_SAID;
  const binaryByOutput = new Map<string, boolean>();
  const classesByOutput = new Map<string, number>();
  const outputParameters: NamedParameters[] = [];
  const names = new Set<string>();
  const wanted = arrayAt(root, 'outputs', 'the request');
  counts.tensors('outputs', wanted.length);
  for (const [index, value] of wanted.entries()) {
    const where = `outputs[${index}]`;
    const output = objectAt(value, where);
    const name = stringAt(output, 'name', where);
    if (names.has(name)) throw invalid(`output '${name.slice(0, 64)}' is asked for twice`);
    names.add(name);
    const parameters = optionalObjectAt(output, 'parameters', where);
    counts.parameters(parameters);
    refuseUnsupported(parameters, where);
    if (parameters !== NOTHING)
      outputParameters.push({ name, parameters: wholeNumbers.exactlyOf('outputs', index, parameters) });
    const said = optionalAt(parameters, 'binary_data') !== undefined;
    if (said) binaryByOutput.set(name, flagAt(parameters, 'binary_data', `${where}.parameters`));
    const classes = readClassification(parameters, where);
    if (classes > 0) classesByOutput.set(name, classes);
  }
  return names.size > 0
    ? { outputs: [...names], binaryByOutput, classesByOutput, outputParameters }
    : NOTHING_SAID;
}

/** Of a request that wants every output, each as the request's own parameters say. */
const NOTHING_SAID = Object.freeze({
  binaryByOutput: new Map<string, boolean>(),
  classesByOutput: new Map<string, number>(),
  outputParameters: [],
});

/** The bytes behind the JSON, taken input by input. */
class BinaryPart {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(size: unknown, where: string): Uint8Array {
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0) {
      throw invalid(
        `${where}.parameters.binary_data_size is ${nameOf(size)}; expected a whole number of bytes >= 0`,
      );
    }
    const left = this.#bytes.length - this.#offset;
    if (size > left) {
      throw invalid(
        `${where} has binary_data_size ${size}, but only ${left} bytes of binary data are left in the body`,
      );
    }
    const taken = this.#bytes.subarray(this.#offset, this.#offset + size);
    this.#offset += size;
    return taken;
  }

  expectEnd(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) {
      throw invalid(
        `the body has ${left} bytes of binary data more than the inputs' binary_data_size add up to`,
      );
    }
  }
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('utf8');
  // What is not UTF-8 became a replacement character; it is the sender's own only where the bytes are UTF-8.
  if (text.includes('\ufffd') && !isUtf8(bytes)) throw invalid('the request JSON is not UTF-8 text');
  return text;
}
