import { DATATYPES, bytesPerElement, isDatatype } from '../../../backends/tensor/datatype.ts';
import { elementCount } from '../../../backends/tensor/tensor.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import type { Decoded } from '../../pipeline/call.ts';
import { invalid } from '../../json-values.ts';
import {
  ownTensorParameters,
  readClassification,
  readSchedulePolicy,
  refuseUnsupported,
} from '../../open-inference/parameters.ts';
import { LARGEST_DIMENSION, MAX_RANK, RequestCounts } from '../../open-inference/request-limits.ts';
import { tensorFromBytes } from '../../open-inference/tensor-binary.ts';
import type { InferMessage, InputMessage } from './infer-message.ts';
import { tensorFromContents } from './tensor-contents.ts';

/** A ModelInferRequest, read. */
export interface GrpcRequest extends Decoded {
  readonly id: string;
  /** The outputs in whose place so many classes are wanted. */
  readonly classesByOutput: ReadonlyMap<string, number>;
}

/** @throws GatewayError */
export function readGrpcRequest(message: InferMessage): GrpcRequest {
  refuseUnsupported(message.parameters, 'the request');
  const { inputs, rawInputs } = message;
  if (rawInputs.length > 0 && rawInputs.length !== inputs.length) {
    throw invalid(
      `raw_input_contents has ${rawInputs.length} entries for ${inputs.length} inputs; expected one for each, or none`,
    );
  }
  const counts = new RequestCounts();
  return {
    id: message.id,
    parameters: message.parameters,
    tensorParameters: ownTensorParameters(inputs, message.outputs),
    inputs: inputs.map((input, index) => readInput(input, index, rawInputs[index], counts)),
    ...readOutputs(message),
    ...readSchedulePolicy(message.parameters, 'the request'),
  };
}

function readInput(
  input: InputMessage,
  index: number,
  raw: Uint8Array | undefined,
  counts: RequestCounts,
): Tensor {
  const { name, datatype, shape, contents } = input;
  const where = `inputs[${index}] ('${name.slice(0, 64)}')`;
  if (!isDatatype(datatype)) {
    throw invalid(`${where}.datatype is '${datatype.slice(0, 64)}'; expected one of ${DATATYPES.join(', ')}`);
  }
  if (shape.length > MAX_RANK)
    throw invalid(`${where}.shape has more than ${MAX_RANK} dimensions; at most so many are read`);
  const odd = shape.findIndex((size) => size < 0 || size > LARGEST_DIMENSION);
  if (odd >= 0)
    throw invalid(
      `${where}.shape[${odd}] is ${shape[odd] ?? 0}; expected a whole number from 0 to ${LARGEST_DIMENSION}`,
    );
  refuseUnsupported(input.parameters, where);
  const head = { name, datatype, shape };
  counts.tensor(head);
  if (raw === undefined) return tensorFromContents(head, contents ?? new Uint8Array(), where);
  if (contents !== undefined && contents.length > 0)
    throw invalid(`${where} has both contents and raw_input_contents; expected one of the two`);
  const expected = datatype === 'BYTES' ? raw.length : elementCount(shape) * bytesPerElement(datatype);
  if (raw.length !== expected) {
    throw invalid(
      `raw_input_contents[${index}] has ${raw.length} bytes for ${where}; ` +
        `${datatype} of shape [${shape.join(',')}] takes ${expected}`,
    );
  }
  return tensorFromBytes(head, raw, where);
}

const NO_CLASSES: ReadonlyMap<string, number> = new Map();

function readOutputs({ outputs }: InferMessage): Pick<GrpcRequest, 'outputs' | 'classesByOutput'> {
  if (outputs.length === 0) return { classesByOutput: NO_CLASSES };
  const names = new Set<string>();
  const classesByOutput = new Map<string, number>();
  outputs.forEach(({ name, parameters }, index) => {
    const where = `outputs[${index}] ('${name.slice(0, 64)}')`;
    if (names.has(name)) throw invalid(`output '${name.slice(0, 64)}' is asked for twice`);
    names.add(name);
    refuseUnsupported(parameters, where);
    const classes = readClassification(parameters, where);
    if (classes > 0) classesByOutput.set(name, classes);
  });
  return { outputs: [...names], classesByOutput };
}
