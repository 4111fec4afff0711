import type { InferRequest, TensorParameters } from '../../backends/inference.ts';
import { isDatatype } from '../../backends/tensor/datatype.ts';
import type { Tensor, TensorSpec } from '../../backends/tensor/tensor.ts';
import { GatewayError } from '../errors.ts';
import { arrayAt, objectAt, optionalAt, optionalObjectAt, own, parseJson, stringAt } from '../json-values.ts';
import { LongTensor, isLongAsJson, listTexts, writtenInTurns } from '../open-inference/long-tensor.ts';
import { tensorFromBytes, tensorToBytes } from '../open-inference/tensor-binary.ts';
import { tensorFromJson, tensorToJson } from '../open-inference/tensor-json.ts';
import { WholeNumbers, jsonDigits } from '../open-inference/whole-numbers.ts';
import type { UpstreamAnswer } from './exchange.ts';
import { UpstreamFailure } from './upstream-failure.ts';

/** The Open Inference Protocol as its client speaks it: what the gateway asks a variant's server, and what that answers. */

/** A request as it goes over the wire. */
export interface EncodedRequest {
  readonly body: Buffer;
  /** Names and values in turn. */
  readonly headers: string[];
}

/**
 * Writes a request; one with many numbers as JSON over several turns of the event loop, as long as its caller waits.
 *
 * @throws UpstreamFailure `rejected` for values that JSON can't carry, `cancelled` where the caller hung up meanwhile
 */
export function encodeV2Request(
  request: InferRequest,
  tensors: 'binary' | 'json',
): EncodedRequest | Promise<EncodedRequest> {
  const isBinary = tensors === 'binary';
  const chunks: Uint8Array[] = [];
  const { inputs: ofInputs, outputs: ofOutputs } = request.tensorParameters ?? NO_PARAMETERS;
  const inputs = request.inputs.map((input) => {
    const { name, datatype, shape } = input;
    const said = ofInputs.get(name);
    const own = said && withAllDigits(Object.entries(said));
    if (!isBinary) return describeAsJson(input, own);
    const bytes = tensorToBytes(input);
    chunks.push(bytes);
    return { name, datatype, shape, parameters: { ...own, binary_data_size: bytes.length } };
  });
  const { id = '', outputs, priority, timeoutMs } = request;
  const parameters = {
    ...ownParameters(request.parameters),
    ...(priority !== undefined && { priority }),
    ...(timeoutMs !== undefined && { timeout: Math.ceil(timeoutMs * 1000) }),
    ...(isBinary && outputs === undefined && { binary_data_output: true }),
  };
  const about = {
    ...(id !== '' && { id }),
    ...(Object.keys(parameters).length > 0 && { parameters }),
    ...(outputs !== undefined && {
      outputs: outputs.map((name) => describeOutput(name, ofOutputs.get(name), isBinary)),
    }),
  };
  if (inputs.some((input) => input instanceof LongTensor)) return writtenLong(about, inputs, request.signal);
  const json = Buffer.from(JSON.stringify({ ...about, inputs }));
  return isBinary
    ? {
        body: Buffer.concat([json, ...chunks]),
        headers: [
          'content-type',
          'application/octet-stream',
          'inference-header-content-length',
          String(json.length),
        ],
      }
    : { body: json, headers: ['content-type', 'application/json'] };
}

async function writtenLong(
  about: object,
  inputs: readonly object[],
  signal: AbortSignal | undefined,
): Promise<EncodedRequest> {
  const body = await writtenInTurns(longTexts(about, inputs), () => signal?.aborted !== true);
  if (body === undefined)
    throw new UpstreamFailure('cancelled', 'the caller hung up before its request was passed on');
  return { body, headers: ['content-type', 'application/json'] };
}

function* longTexts(about: object, inputs: readonly object[]): Generator<string> {
  const head = JSON.stringify(about).slice(0, -1);
  yield `${head}${head === '{' ? '' : ','}"inputs":`;
  yield* listTexts(inputs);
  yield '}';
}

const NO_PARAMETERS: TensorParameters = { inputs: new Map(), outputs: new Map() };

function describeOutput(name: string, own: object | undefined, isBinary: boolean): object {
  const parameters = { ...withAllDigits(Object.entries(own ?? {})), ...(isBinary && { binary_data: true }) };
  return Object.keys(parameters).length === 0 ? { name } : { name, parameters };
}

/** What the gateway says itself, or does itself with what the server answers. */
const SAID_BY_THE_GATEWAY: ReadonlySet<string> = new Set([
  'binary_data_output',
  'priority',
  'timeout',
  'triton_enable_empty_final_response',
]);

/** The parameters of the caller's that mean something to the server alone. */
function ownParameters(parameters: InferRequest['parameters']): object {
  if (parameters === undefined) return {};
  return withAllDigits(Object.entries(parameters).filter(([name]) => !SAID_BY_THE_GATEWAY.has(name)));
}

function withAllDigits(parameters: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(
    parameters.map(([name, value]) => [name, typeof value === 'bigint' ? jsonDigits(value) : value]),
  );
}

function describeAsJson(input: Tensor, own: object | undefined): LongTensor | object {
  try {
    if (isLongAsJson(input)) return new LongTensor(input, own);
    const { name, datatype, shape } = input;
    return { name, datatype, shape, ...(own && { parameters: own }), data: tensorToJson(input) };
  } catch (cause) {
    const what = input.datatype === 'BYTES' ? 'bytes that are not UTF-8 text' : 'NaN or infinite values';
    throw new UpstreamFailure(
      'rejected',
      `input '${input.name}' has ${what}, which the variant's server can't be sent: it takes JSON`,
      { cause },
    );
  }
}

/**
 * An answer that goes to the caller as it came. It isn't decoded, but a page of somebody else's, as of a login in front of the server, is no
 * answer of a model: what begins with no JSON isn't of the protocol, which has it before binary data too.
 *
 * @throws UpstreamFailure `garbage`
 */
export function passedV2Answer(answer: UpstreamAnswer): UpstreamAnswer {
  const { status, headers, body } = answer;
  if (status >= 400) return answer;
  if (status !== 200) throw garbage(`its status is ${status}`);
  const isPage = HTML.test(headers['content-type'] ?? '');
  const isRead = body instanceof Uint8Array && headers['content-encoding'] === undefined;
  if (isPage || (isRead && !beginsAsObject(body))) throw garbage('it does not begin as a JSON object does');
  return answer;
}

const HTML = /^\s*(text\/html|application\/xhtml)/i;
const BRACE = '{'.charCodeAt(0);
const BLANK: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));

function beginsAsObject(body: Uint8Array): boolean {
  return body.find((byte) => !BLANK.has(byte)) === BRACE;
}

/**
 * Reads an answer's outputs.
 *
 * @param wanted the outputs' names in their order; undefined: all, as they come
 * @throws UpstreamFailure `rejected` with the server's own words, `garbage` for what is not the protocol
 */
export function decodeV2Answer(
  { status, headers, body }: UpstreamAnswer,
  wanted: readonly string[] | undefined,
): readonly Tensor[] {
  if (!(body instanceof Uint8Array)) throw garbage('it was not received whole');
  if (status >= 400) throw new UpstreamFailure('rejected', messageIn(body, status), { status });
  const outputs = readingIt(() => {
    const stated = headers['inference-header-content-length'];
    const jsonBytes = stated === undefined ? body.length : Number(stated);
    if (!Number.isInteger(jsonBytes) || jsonBytes < 0 || jsonBytes > body.length) {
      throw garbage(`its Inference-Header-Content-Length does not fit its ${body.length} bytes`);
    }
    const text = textOf(body.subarray(0, jsonBytes));
    const root = objectAt(parseJson(text, 'answer'), 'the answer');
    const wholeNumbers = new WholeNumbers(text, 'outputs');
    let offset = jsonBytes;
    return arrayAt(root, 'outputs', 'the answer').map((value, index): Tensor => {
      const where = `outputs[${index}]`;
      const output = objectAt(value, where);
      const name = stringAt(output, 'name', where);
      const datatype = stringAt(output, 'datatype', where);
      if (!isDatatype(datatype)) throw garbage(`${where}.datatype is '${datatype.slice(0, 64)}'`);
      const head = { name, datatype, shape: sizesAt(output, where) };
      const size = optionalAt(optionalObjectAt(output, 'parameters', where), 'binary_data_size');
      if (size === undefined) {
        return tensorFromJson(head, arrayAt(output, 'data', where), { where, input: index, wholeNumbers });
      }
      const end = offset + Number(size);
      if (!Number.isInteger(end) || end < offset || end > body.length) {
        throw garbage(`${where} has more binary data than the answer`);
      }
      const bytes = body.subarray(offset, end);
      offset = end;
      return tensorFromBytes(head, bytes, where);
    });
  });
  return wanted === undefined ? outputs : inOrder(outputs, wanted);
}

/** What a server says that a model takes and gives. */
export interface V2Metadata {
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** @throws UpstreamFailure `garbage` */
export function decodeV2Metadata({ body }: UpstreamAnswer): V2Metadata {
  if (!(body instanceof Uint8Array)) throw garbage('it was not received whole');
  return readingIt(() => {
    const root = objectAt(parseJson(textOf(body), 'metadata'), 'the metadata');
    const platform = own(root, 'platform');
    const specs = (key: 'inputs' | 'outputs'): readonly TensorSpec[] =>
      arrayAt(root, key, 'the metadata').map((value, index) => {
        const where = `${key}[${index}]`;
        const tensor = objectAt(value, where);
        const datatype = stringAt(tensor, 'datatype', where);
        if (!isDatatype(datatype)) throw garbage(`${where}.datatype is '${datatype.slice(0, 64)}'`);
        return { name: stringAt(tensor, 'name', where), datatype, shape: sizesAt(tensor, where, -1) };
      });
    return {
      platform: typeof platform === 'string' ? platform : '',
      inputs: specs('inputs'),
      outputs: specs('outputs'),
    };
  });
}

function inOrder(outputs: readonly Tensor[], wanted: readonly string[]): readonly Tensor[] {
  return wanted.map((name) => {
    const output = outputs.find((candidate) => candidate.name === name);
    if (output === undefined) throw garbage(`it has no output '${name.slice(0, 64)}', which was asked for`);
    return output;
  });
}

/** Servers write sizes as numbers, some as strings: protobuf's JSON has 64-bit integers so. */
function sizesAt(object: Readonly<Record<string, unknown>>, where: string, least = 0): readonly number[] {
  return arrayAt(object, 'shape', where).map((value) => {
    const size = typeof value === 'string' ? Number(value) : value;
    if (typeof size !== 'number' || !Number.isInteger(size) || size < least || size > 2 ** 31) {
      throw garbage(`${where}.shape has ${JSON.stringify(value)}`);
    }
    return size;
  });
}

/** What a server says of a request that it refuses; a page of HTML is nothing for the caller. */
function messageIn(body: Uint8Array, status: number): string {
  try {
    const root = parseJson(textOf(body));
    const message = own(objectAt(root, 'the answer'), 'error');
    if (typeof message === 'string') return message.slice(0, 1000);
  } catch {
    // It is no JSON: the status is all there is to say.
  }
  return `the variant's server refused the request with status ${status}`;
}

function readingIt<Read>(read: () => Read): Read {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GatewayError) || error instanceof UpstreamFailure) throw error;
    throw garbage(error.message, error);
  }
}

function garbage(why: string, cause?: unknown): UpstreamFailure {
  return new UpstreamFailure('garbage', "the variant's server answers with what is not the protocol", {
    cause: new Error(`the answer can't be read: ${why}`, { cause }),
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw garbage('it is not UTF-8 text');
  }
}
