import type { VersionDescription } from '../../backends/servable.ts';
import { bytesPerElement } from '../../backends/tensor/datatype.ts';
import { elementCount } from '../../backends/tensor/tensor.ts';
import { NOTHING, invalid } from '../json-values.ts';
import type { V2Request } from './request.ts';
import { bytesElement, tensorFromBytes } from './tensor-binary.ts';

/**
 * A raw binary request, announced by `Inference-Header-Content-Length: 0`: the whole body is the bytes of the model's
 * only input, in one row where it batches. All outputs are answered as binary data.
 *
 * @throws GatewayError where the shape can't be told from the number of bytes
 */
export function readRawRequest(
  body: Uint8Array,
  { model, inputs, maxBatchSize }: Pick<VersionDescription, 'model' | 'inputs' | 'maxBatchSize'>,
): V2Request {
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) {
    throw invalid(
      `raw input is only supported for models with one input; model '${model}' has ${inputs.length}: ` +
        inputs.map(({ name }) => name).join(', '),
    );
  }
  const { name, datatype } = input;
  const where = `the raw input '${name}'`;
  const dims = maxBatchSize > 0 ? [1, ...input.shape.slice(1)] : [...input.shape];
  const answer = {
    id: undefined,
    parameters: NOTHING,
    binaryByOutput: new Map(),
    classesByOutput: new Map(),
    binaryOutput: true,
  };
  const free = dims.filter((size) => size === -1).length;
  if (datatype === 'BYTES') {
    const shape = dims.map((size) => (size === -1 ? 1 : size));
    if (elementCount(shape) !== 1) {
      throw invalid(`${where} of model '${model}' takes ${elementCount(shape)} strings; a raw body is one`);
    }
    const data = [bytesElement(body)];
    return { ...answer, inputs: [{ name, datatype, shape, data }] };
  }
  if (free > 1) {
    throw invalid(
      `${where} of model '${model}' has the shape [${input.shape.join(',')}], in which a number of bytes leaves ` +
        `${free} dimensions open; send its shape in a JSON header`,
    );
  }
  const fixedBytes = bytesPerElement(datatype) * elementCount(dims.filter((size) => size !== -1));
  const open = fixedBytes === 0 ? 0 : body.length / fixedBytes;
  if (!Number.isInteger(open) || (free === 0 && open !== 1)) {
    const expected = free === 0 ? String(fixedBytes) : `a multiple of ${fixedBytes}`;
    throw invalid(`${where} of model '${model}' has ${body.length} bytes; expected ${expected}`);
  }
  const shape = dims.map((size) => (size === -1 ? open : size));
  return { ...answer, inputs: [tensorFromBytes({ name, datatype, shape }, body, where)] };
}
