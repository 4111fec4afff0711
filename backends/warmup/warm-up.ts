import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gather, layOut } from '../onnx/batch-layout.ts';
import { FirstRunHung, firstRun } from '../onnx/first-run.ts';
import type { OnnxInstance } from '../onnx/instance.ts';
import { zeroRun } from '../onnx/zero-run.ts';
import { allocateUnsafe, bytesPerElement, viewOf } from '../tensor/datatype.ts';
import type { NumericDatatype } from '../tensor/datatype.ts';
import { elementCount } from '../tensor/tensor.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import type { WarmupInput, WarmupSample } from './warmup-sample.ts';

/** A sample whose tensors are made, ready to be run. */
export interface PreparedSample {
  readonly name: string;
  readonly count: number;
  readonly inputs: readonly Tensor[];
}

export interface WarmupTarget {
  /** The graph's inputs, with the batch dimension where the model batches. */
  readonly inputs: readonly TensorSpec[];
  /** 0: the model doesn't batch. */
  readonly maxBatchSize: number;
  /** The model's folder. */
  readonly directory: string;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** @throws Error where a sample doesn't fit the model, or its file can't be read */
export async function prepareSamples(
  samples: readonly WarmupSample[],
  target: WarmupTarget,
): Promise<readonly PreparedSample[]> {
  const prepared: PreparedSample[] = [];
  for (const sample of samples) {
    const inputs: Tensor[] = [];
    for (const spec of target.inputs) inputs.push(await makeTensor(sample, spec, target));
    const unknown = sample.inputs.find(({ name }) => !target.inputs.some((spec) => spec.name === name));
    if (unknown !== undefined)
      throw fault(sample, `has data for "${unknown.name}", which is no input of the model`);
    prepared.push({ name: sample.name, count: sample.count, inputs });
  }
  return prepared;
}

/**
 * Runs an instance with each sample, so that what it allocates and decides at its first runs is done before it has callers.
 *
 * @param limitMs of each run; undefined: it may take as long as it takes
 * @throws Error with the sample's name where the model fails on it, or does not answer
 */
export async function warmUp(
  instance: OnnxInstance,
  samples: readonly PreparedSample[],
  limitMs: number | undefined,
): Promise<void> {
  for (const { name, count, inputs } of samples) {
    const layout = layOut(inputs, [], undefined);
    const slab = new SharedArrayBuffer(layout.bytes);
    const placed = gather([{ inputs }], layout, slab, undefined);
    const sentOutputs = instance.outputs.map((output) => output.name);
    const memberRows = [1];
    for (let run = 0; run < count; run++) {
      try {
        const message = { slab, inputs: placed, placedOutputs: [], sentOutputs, memberRows };
        await firstRun(instance, { kind: 'run', ...message }, `the warm-up "${name}"`, limitMs);
      } catch (cause) {
        if (cause instanceof FirstRunHung) throw cause;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`the model failed on the warm-up "${name}": ${reason}`, { cause });
      }
    }
  }
}

/**
 * Runs an instance over zeros once with each of the sizes, so that the session of each is there before its first caller. A model that can't take
 * zeros opens them as batches come.
 *
 * @param sizes ascending
 * @throws FirstRunHung
 */
export async function warmSizes(
  instance: OnnxInstance,
  sizes: readonly number[],
  limitMs: number | undefined,
): Promise<void> {
  // The largest first: where memory is short, that shows before there are callers.
  for (const size of sizes.toReversed()) {
    try {
      await firstRun(instance, { ...zeroRun(instance, size), size }, `the warm-up of ${size} rows`, limitMs);
    } catch (error) {
      if (error instanceof FirstRunHung) throw error;
      return;
    }
  }
}

async function makeTensor(sample: WarmupSample, spec: TensorSpec, target: WarmupTarget): Promise<Tensor> {
  const { name } = spec;
  const input = sample.inputs.find((candidate) => candidate.name === name);
  if (input === undefined) throw fault(sample, `has no data for the input "${name}"`);
  if (input.datatype !== spec.datatype) {
    throw fault(sample, `has "${name}" as ${input.datatype}, but the model takes ${spec.datatype}`);
  }
  if (target.maxBatchSize === 0 ? sample.rows !== 1 : sample.rows > target.maxBatchSize) {
    const most = Math.max(1, target.maxBatchSize);
    throw fault(sample, `has batch_size ${sample.rows}; this model takes from 1 to ${most}`);
  }
  const shape = target.maxBatchSize > 0 ? [sample.rows, ...input.dims] : input.dims;
  const fits =
    shape.length === spec.shape.length &&
    shape.every((size, axis) => spec.shape[axis] === -1 || spec.shape[axis] === size);
  if (!fits) {
    throw fault(
      sample,
      `has "${name}" as [${shape.join(',')}], but the model takes [${spec.shape.join(',')}]`,
    );
  }
  const file = input.data.kind === 'file' ? join(target.directory, 'warmup', input.data.file) : undefined;
  const bytes = file === undefined ? undefined : await readFile(file);
  if (spec.datatype === 'BYTES') {
    const row =
      bytes === undefined
        ? Array<string>(elementCount(input.dims)).fill('')
        : stringsOf(sample, input, bytes);
    return {
      name,
      datatype: spec.datatype,
      shape,
      data: Array.from({ length: sample.rows }, () => row).flat(),
    };
  }
  const row = new Uint8Array(elementCount(input.dims) * bytesPerElement(spec.datatype));
  if (bytes !== undefined) {
    if (bytes.length !== row.length) {
      throw fault(sample, `has ${bytes.length} bytes of "${name}" in its file; expected ${row.length}`);
    }
    row.set(bytes);
  } else if (input.data.kind === 'random') {
    fillRandomly(row, spec.datatype, target.random);
  }
  const data = allocateUnsafe(spec.datatype, elementCount(shape));
  const all = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let start = 0; start < all.length; start += Math.max(1, row.length)) all.set(row, start);
  return { name, datatype: spec.datatype, shape, data };
}

function fillRandomly(row: Uint8Array, datatype: NumericDatatype, random: () => number): void {
  const values = viewOf(datatype, row.buffer, row.byteOffset, row.length / bytesPerElement(datatype));
  const digit = (): number => Math.floor(random() * 10);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    for (let index = 0; index < values.length; index++) values[index] = BigInt(digit());
  } else if (datatype === 'FP16') {
    const halves = new Float16Array(row.buffer, row.byteOffset, values.length);
    for (let index = 0; index < halves.length; index++) halves[index] = random();
  } else {
    const next = datatype === 'BOOL' ? () => digit() % 2 : datatype.startsWith('FP') ? random : digit;
    for (let index = 0; index < values.length; index++) values[index] = next();
  }
}

/** Each string is its length in four bytes, the lowest first, and its bytes. */
function stringsOf(sample: WarmupSample, input: WarmupInput, bytes: Buffer): readonly string[] {
  const strings: string[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const start = offset + 4;
    const end = start <= bytes.length ? start + bytes.readUInt32LE(offset) : Infinity;
    if (end > bytes.length) throw fault(sample, `has a file of "${input.name}" that ends inside a string`);
    strings.push(bytes.toString('utf8', start, end));
    offset = end;
  }
  const expected = elementCount(input.dims);
  if (strings.length !== expected) {
    throw fault(sample, `has ${strings.length} strings of "${input.name}" in its file; expected ${expected}`);
  }
  return strings;
}

function fault(sample: WarmupSample, message: string): Error {
  return new Error(`the warm-up "${sample.name}" ${message}`);
}
