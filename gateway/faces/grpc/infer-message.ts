import { NOTHING } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';
import { MAX_RANK, RequestCounts } from '../../open-inference/request-limits.ts';
import { WIRE, WireReader } from './wire-reader.ts';

/** An input of a ModelInferRequest. */
export interface InputMessage {
  readonly name: string;
  readonly datatype: string;
  /** Of one that has more dimensions than are read, one too many. */
  readonly shape: readonly number[];
  readonly parameters: JsonObject;
  /** The bytes of its InferTensorContents: read once it is known what they should be. */
  readonly contents: Uint8Array | undefined;
}

/** A wanted output of a ModelInferRequest. */
export interface OutputMessage {
  readonly name: string;
  readonly parameters: JsonObject;
}

/** A ModelInferRequest as it came: its tensors are views of the received message. */
export interface InferMessage {
  readonly model: string;
  /** Empty: the caller names none. */
  readonly version: string;
  readonly id: string;
  readonly parameters: JsonObject;
  readonly inputs: readonly InputMessage[];
  readonly outputs: readonly OutputMessage[];
  readonly rawInputs: readonly Uint8Array[];
}

/** @throws GatewayError */
export function readInferMessage(bytes: Uint8Array): InferMessage {
  const reader = new WireReader(bytes);
  let model = '';
  let version = '';
  let id = '';
  let parameters: JsonObject = NOTHING;
  const inputs: InputMessage[] = [];
  const outputs: OutputMessage[] = [];
  const rawInputs: Uint8Array[] = [];
  const counts = new RequestCounts();
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === lengthDelimited(1)) model = reader.text();
    else if (tag === lengthDelimited(2)) version = reader.text();
    else if (tag === lengthDelimited(3)) id = reader.text();
    else if (tag === lengthDelimited(4)) parameters = withParameter(parameters, reader.message(), counts);
    else if (tag === lengthDelimited(5)) inputs.push(readInput(reader.message(), counts));
    else if (tag === lengthDelimited(6)) outputs.push(readOutput(reader.message(), counts));
    else if (tag === lengthDelimited(7)) rawInputs.push(reader.bytes());
    else reader.skip(tag);
    counts.tensors('inputs', Math.max(inputs.length, rawInputs.length));
    counts.tensors('outputs', outputs.length);
  }
  return { model, version, id, parameters, inputs, outputs, rawInputs };
}

function lengthDelimited(field: number): number {
  return field * 8 + WIRE.bytes;
}

function readInput(reader: WireReader, counts: RequestCounts): InputMessage {
  let name = '';
  let datatype = '';
  const shape: number[] = [];
  let parameters: JsonObject = NOTHING;
  let contents: Uint8Array | undefined;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === lengthDelimited(1)) name = reader.text();
    else if (tag === lengthDelimited(2)) datatype = reader.text();
    else if (tag === lengthDelimited(3)) {
      const packed = reader.message();
      while (!packed.isAtEnd && shape.length <= MAX_RANK) shape.push(packed.integer());
    } else if (tag === 3 * 8 + WIRE.varint && shape.length <= MAX_RANK) shape.push(reader.integer());
    else if (tag === lengthDelimited(4)) parameters = withParameter(parameters, reader.message(), counts);
    else if (tag === lengthDelimited(5)) contents = reader.bytes();
    else reader.skip(tag);
  }
  return { name, datatype, shape, parameters, contents };
}

function readOutput(reader: WireReader, counts: RequestCounts): OutputMessage {
  let name = '';
  let parameters: JsonObject = NOTHING;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === lengthDelimited(1)) name = reader.text();
    else if (tag === lengthDelimited(2)) parameters = withParameter(parameters, reader.message(), counts);
    else reader.skip(tag);
  }
  return { name, parameters };
}

/** Adds an entry of a map of InferParameters. */
function withParameter(parameters: JsonObject, entry: WireReader, counts: RequestCounts): JsonObject {
  counts.flatParameters(1);
  let name = '';
  let value: unknown;
  while (!entry.isAtEnd) {
    const tag = entry.tag();
    if (tag === lengthDelimited(1)) name = entry.text();
    else if (tag === lengthDelimited(2)) value = readParameter(entry.message());
    else entry.skip(tag);
  }
  // Without a prototype, whatever a caller calls its parameters is a key like any other.
  const target = parameters === NOTHING ? (Object.create(null) as JsonObject) : parameters;
  return Object.assign(target, { [name]: value });
}

function readParameter(reader: WireReader): unknown {
  let value: unknown;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 8 + WIRE.varint) value = reader.varint() !== 0;
    else if (tag === 2 * 8 + WIRE.varint) value = reader.exact(true);
    else if (tag === lengthDelimited(3)) value = reader.text();
    else if (tag === 4 * 8 + WIRE.fixed64) value = reader.double();
    else if (tag === 5 * 8 + WIRE.varint) value = reader.exact(false);
    else reader.skip(tag);
  }
  return value;
}
