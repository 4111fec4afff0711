/**
 * A worker thread that holds ONNX Runtime sessions and runs one batch at a time.
 *
 * `onnxruntime-node` runs synchronously, so this is the only place that imports it. A worker lives as long as its instance: a replaced version takes
 * its workers with it. All sessions by WebGPU share a worker.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node';
import { viewOf } from '../tensor/datatype.ts';
import type { NumericArray, NumericDatatype } from '../tensor/datatype.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { JournalWriter } from './journal-writer.ts';
import type {
  FromWorker,
  RunMessage,
  SessionOptions,
  ToDeviceWorker,
  ToWorker,
  WorkerOptions,
} from './messages.ts';
import { filledUp } from './fill-up.ts';
import type { ExecutionProvider } from './providers/execution-provider.ts';
import { explainRefusal } from './refusal.ts';

// The binding can't read Float16Array, and without it takes and gives the bits of a half as Uint16Array.
Reflect.deleteProperty(globalThis, 'Float16Array');
const ort = await import('onnxruntime-node');

const ONNX_TYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Record<Tensor['datatype'], OnnxTensor.Type>;

const parent = parentPort;
if (parent === null) throw new Error('backends/onnx/worker.ts runs as a worker thread only');

type Post = (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void;

function datatypeOf(onnxType: string): Tensor['datatype'] {
  const found = Object.entries(ONNX_TYPES).find(([, name]) => name === onnxType);
  if (found === undefined) throw new Error(`tensors of type ${onnxType} can't be served`);
  return found[0] as Tensor['datatype'];
}

/** The runtime's own code keeps outputs in objects whose `__proto__` is no key. */
const NO_OUTPUT = '__proto__';

function outputSpecOf(metadata: InferenceSession.ValueMetadata): TensorSpec {
  if (metadata.name === NO_OUTPUT)
    throw new Error(`an output can't be called "${NO_OUTPUT}"; give it another name in the model`);
  return specOf(metadata);
}

function specOf(metadata: InferenceSession.ValueMetadata): TensorSpec {
  if (!metadata.isTensor)
    throw new Error(`"${metadata.name}" is a sequence or a map; only tensors can be served`);
  return {
    name: metadata.name,
    datatype: datatypeOf(metadata.type),
    shape: metadata.shape.map((size) => (typeof size === 'number' ? size : -1)),
  };
}

/** What TensorRT can't take runs on the same GPU by CUDA. What no GPU provider can take runs on the processor. */
function providersOf(provider: ExecutionProvider): ExecutionProvider[] {
  return provider.name === 'tensorrt' ? [provider, { ...provider, name: 'cuda' }] : [provider];
}

async function openSession({ modelFile, threads, provider }: SessionOptions): Promise<InferenceSession> {
  // A failed run is thrown and answered; a line on stderr for each would let callers flood the log.
  ort.env.logLevel = 'fatal';
  return ort.InferenceSession.create(modelFile, {
    executionProviders: providersOf(provider),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Spinning burns a core between batches.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
}

function onnxTensor(datatype: NumericDatatype, data: NumericArray, shape: readonly number[]): OnnxTensor {
  return new ort.Tensor(ONNX_TYPES[datatype], data as Float32Array, shape);
}

/** Without a prototype, whatever a model calls its tensors is a key like any other. */
function byName<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

/** A version's sessions: one, or one for each batch size that it is run with. */
class Sessions {
  readonly first: InferenceSession;
  readonly #options: SessionOptions;
  readonly #bySize = new Map<number, InferenceSession>();

  constructor(options: SessionOptions, first: InferenceSession) {
    this.#options = options;
    this.first = first;
  }

  /**
   * What runs so many rows; the first size to be asked for gets the first session. It runs other sizes too where the device has no memory for more
   * sessions: slower, but not refused.
   */
  async of(size: number | undefined): Promise<InferenceSession> {
    if (size === undefined) return this.first;
    const known = this.#bySize.get(size);
    if (known !== undefined) return known;
    const session =
      this.#bySize.size === 0 ? this.first : await openSession(this.#options).catch(() => this.first);
    this.#bySize.set(size, session);
    return session;
  }

  async release(): Promise<void> {
    await Promise.all(
      [...new Set([this.first, ...this.#bySize.values()])].map((session) => session.release()),
    );
  }
}

async function run(sessions: Sessions, message: RunMessage, post: Post): Promise<void> {
  const { slab } = message;
  const session = await sessions.of(message.size);
  const placed = ({ datatype, shape, byteOffset }: RunMessage['placedOutputs'][number]): OnnxTensor => {
    const length = shape.reduce((count, size) => count * size, 1);
    return onnxTensor(datatype, viewOf(datatype, slab, byteOffset, length), shape);
  };
  const feeds = byName<OnnxTensor>();
  for (const gathered of message.inputs) {
    const input = filledUp(gathered, message);
    feeds[input.name] =
      input.datatype === 'BYTES' ? new ort.Tensor('string', [...input.data], input.shape) : placed(input);
  }
  const fetches = byName<OnnxTensor | null>();
  for (const output of message.placedOutputs) fetches[output.name] = placed(output);
  for (const name of message.sentOutputs) fetches[name] = null;

  const start = performance.now();
  const results = await session.run(feeds, fetches);
  const computeMs = performance.now() - start;

  const transfer: ArrayBuffer[] = [];
  const sent = message.sentOutputs.map((name): Tensor => {
    const result = Object.hasOwn(results, name) ? results[name] : undefined;
    if (result === undefined) throw new Error(`the model gave no output "${name}"`);
    const datatype = datatypeOf(result.type);
    const shape = [...result.dims];
    if (datatype === 'BYTES') return { name, datatype, shape, data: result.data as string[] };
    const data = result.data as NumericArray;
    if (data.buffer instanceof ArrayBuffer) transfer.push(data.buffer);
    return { name, datatype, shape, data };
  });
  post({ kind: 'done', computeMs, sent }, transfer);
}

/** Writes down what runs while it does, for the case that it crashes the process. */
async function runJournalled(
  sessions: Sessions,
  message: RunMessage,
  journal: JournalWriter | undefined,
  post: Post,
): Promise<void> {
  const keptBack = journal?.begin(message);
  if (keptBack !== undefined) {
    post({ kind: 'kept_back', ...keptBack });
    return;
  }
  try {
    await run(sessions, message, post);
  } finally {
    journal?.end();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Opens a session and answers over the port what is asked of it, until it is released. */
async function serveSession(options: SessionOptions, port: MessagePort): Promise<void> {
  const post: Post = (message, transfer = []) => {
    port.postMessage(message, transfer);
  };
  try {
    const journal = options.journal && new JournalWriter(options.journal, options.modelFile);
    journal?.beginOpening(options.modelFile);
    const session = await openSession(options).finally(() => {
      journal?.end();
    });
    const sessions = new Sessions(options, session);
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'close') {
        void sessions.release().finally(() => {
          port.close();
        });
        return;
      }
      runJournalled(sessions, message, journal, post).catch((error: unknown) => {
        post({ kind: 'failed', reason: reasonOf(error) });
      });
    });
    post({
      kind: 'ready',
      inputs: session.inputMetadata.map(specOf),
      outputs: session.outputMetadata.map(outputSpecOf),
    });
  } catch (error) {
    post({ kind: 'refused', reason: explainRefusal(reasonOf(error)) });
    port.close();
  }
}

const options = workerData as WorkerOptions;
if (options.kind === 'session') await serveSession(options, parent);
else {
  parent.on('message', (message: ToDeviceWorker) => {
    if (message.kind === 'end') parent.close();
    else void serveSession(message.options, message.port);
  });
}
