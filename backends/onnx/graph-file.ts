import { open } from 'node:fs/promises';
import type { GraphSignature } from '../declared-signature.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { MalformedMessage, MessageFile } from './message-file.ts';
import type { Field } from './message-file.ts';

/** The numbers that ONNX gives the types of a tensor's elements: `TensorProto.DataType` of its specification. */
const DATATYPES: ReadonlyMap<number, Tensor['datatype']> = new Map([
  [1, 'FP32'],
  [2, 'UINT8'],
  [3, 'INT8'],
  [4, 'UINT16'],
  [5, 'INT16'],
  [6, 'INT32'],
  [7, 'INT64'],
  [8, 'BYTES'],
  [9, 'BOOL'],
  [10, 'FP16'],
  [11, 'FP64'],
  [12, 'UINT32'],
  [13, 'UINT64'],
]);

/** A graph has few of them, and a signature is kept in memory. */
const MAX_VALUES = 10_000;

/** A negative number comes out of a varint as its two's complement. */
const NEGATIVE = 2 ** 63;

/** What is wrong with a file, after its name: `is no ONNX model: …`, or why what it has can't be served. */
export class UnservableGraph extends Error {}

/** An input or an output as the file has it; undefined: of a type that the file leaves to whoever loads it. */
interface Value {
  readonly name: string;
  readonly spec: TensorSpec | undefined;
}

/**
 * Reads the inputs and outputs of an ONNX file, as a session over it would have them: without its initializers, and -1 for a size that is free. Nothing of
 * the model is loaded; of its weights not even the bytes are read.
 *
 * @returns no outputs where the file doesn't say the type of one; undefined: it is a model in ONNX Runtime's own format, which isn't read here
 * @throws UnservableGraph
 */
export async function readGraphSignature(path: string): Promise<GraphSignature | undefined> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(8);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    // The identifier of a FlatBuffer stands behind its first offset.
    if (head.toString('latin1', 4, bytesRead) === 'ORTM') return undefined;
    if (head.toString('latin1', 0, bytesRead) === 'version ')
      throw new UnservableGraph('is a pointer of Git LFS, and no ONNX model; run git lfs pull');
    return await readModel(new MessageFile(handle, size));
  } finally {
    await handle.close();
  }
}

/** `ModelProto`: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
async function readModel(file: MessageFile): Promise<GraphSignature> {
  let graph: Graph | undefined;
  try {
    for await (const field of file.fields()) if (field.number === 7) graph = await readGraph(file, field);
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause;
    throw new UnservableGraph(`is no ONNX model: ${cause.message}`, { cause });
  }
  if (graph === undefined) throw new UnservableGraph('is no ONNX model: it has no graph');
  const { initializers, inputs, outputs } = graph;
  const taken = inputs.filter(({ name }) => !initializers.has(name));
  const specs = (values: readonly Value[]): readonly TensorSpec[] => values.flatMap(({ spec }) => spec ?? []);
  const untyped = taken.find(({ spec }) => spec === undefined);
  if (untyped !== undefined)
    throw new UnservableGraph(`is no ONNX model: its input "${untyped.name}" has no type`);
  const isTyped = outputs.every(({ spec }) => spec !== undefined);
  return { inputs: specs(taken), outputs: isTyped ? specs(outputs) : [] };
}

interface Graph {
  /** Models of before 2019 list them among their inputs too. */
  readonly initializers: ReadonlySet<string>;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

async function readGraph(file: MessageFile, { start, end }: Field): Promise<Graph> {
  const initializers = new Set<string>();
  const [inputs, outputs]: [Value[], Value[]] = [[], []];
  for await (const field of file.fields(start, end)) {
    if (field.number === 5) initializers.add(await nameIn(file, field, 8));
    if (field.number === 11) inputs.push(await readValue(file, field, 'input'));
    if (field.number === 12) outputs.push(await readValue(file, field, 'output'));
    if (inputs.length + outputs.length > MAX_VALUES)
      throw new UnservableGraph(`has more than ${MAX_VALUES} inputs and outputs`);
  }
  return { initializers, inputs, outputs };
}

async function nameIn(file: MessageFile, { start, end }: Field, number: number): Promise<string> {
  for await (const field of file.fields(start, end)) if (field.number === number) return file.text(field);
  return '';
}

async function readValue(file: MessageFile, { start, end }: Field, what: 'input' | 'output'): Promise<Value> {
  let name = '';
  let type: Field | undefined;
  for await (const field of file.fields(start, end)) {
    if (field.number === 1) name = await file.text(field);
    if (field.number === 2) type = field;
  }
  if (type === undefined) return { name, spec: undefined };
  for await (const field of file.fields(type.start, type.end)) {
    if (field.number === 1) return { name, spec: await readTensor(file, field, what, name) };
    // A sequence, a map, an optional or a sparse tensor; 6 is a note.
    if (field.number !== 6)
      throw new UnservableGraph(
        `has an ${what}, "${name}", that is a sequence or a map; only tensors can be served`,
      );
  }
  return { name, spec: undefined };
}

async function readTensor(
  file: MessageFile,
  { start, end }: Field,
  what: 'input' | 'output',
  name: string,
): Promise<TensorSpec | undefined> {
  let type = 0;
  const shape: number[] = [];
  for await (const field of file.fields(start, end)) {
    if (field.number === 1) type = field.value;
    if (field.number === 2)
      for await (const size of file.fields(field.start, field.end)) shape.push(await readSize(file, size));
  }
  if (type === 0) return undefined;
  const datatype = DATATYPES.get(type);
  if (datatype === undefined)
    throw new UnservableGraph(
      `has an ${what}, "${name}", of ONNX's element type ${type}, which can't be served`,
    );
  return { name, datatype, shape };
}

async function readSize(file: MessageFile, { start, end }: Field): Promise<number> {
  for await (const { number, value } of file.fields(start, end))
    if (number === 1) return value < NEGATIVE ? value : -1;
  return -1;
}
