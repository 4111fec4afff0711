import type { MessagePort } from 'node:worker_threads';
import type { NumericDatatype } from '../tensor/datatype.ts';
import type { Tensor, TensorSpec, TextTensor } from '../tensor/tensor.ts';
import type { ExecutionProvider } from './providers/execution-provider.ts';
import type { JournalSlot } from './run-journal.ts';

/** What a session is opened with. */
export interface SessionOptions {
  /** Absolute path of the `.onnx` file. */
  readonly modelFile: string;
  readonly provider: ExecutionProvider;
  /** Threads that one run may use, >= 1. */
  readonly threads: number;
  /** Where it writes what it runs; left out: nowhere. */
  readonly journal?: JournalSlot;
}

/** What a worker is started with: its one session, or nothing, where it is told over time which sessions to open on a device. */
export type WorkerOptions = ({ readonly kind: 'session' } & SessionOptions) | { readonly kind: 'device' };

/** To a worker that holds the sessions of a device. */
export type ToDeviceWorker =
  /** Opens a session, which is spoken to over the port. */
  | { readonly kind: 'open'; readonly port: MessagePort; readonly options: SessionOptions }
  /** All its sessions are released: it may end. */
  | { readonly kind: 'end' };

/** Where a numeric tensor lies in a slab. */
export interface TensorPlace {
  readonly name: string;
  readonly datatype: NumericDatatype;
  readonly shape: readonly number[];
  /** From the start of the slab, a multiple of the element's size. */
  readonly byteOffset: number;
}

/** One batch, gathered. */
export interface RunMessage {
  readonly kind: 'run';
  /** Holds the numeric inputs, and takes the outputs that have a place. */
  readonly slab: SharedArrayBuffer;
  readonly inputs: readonly (TensorPlace | TextTensor)[];
  /** Outputs whose shape is known before the run: the model writes them straight into the slab. */
  readonly placedOutputs: readonly TensorPlace[];
  /** Names of the wanted outputs that have no place; they come back in the message. */
  readonly sentOutputs: readonly string[];
  /** Rows of each request of the batch, in the order in which their inputs were gathered. */
  readonly memberRows: readonly number[];
  /**
   * Rows that it is run with, by the session of that size: those of its members, and its last one again and again. It is what the shapes of
   * inputs and placed outputs say. Left out: there are no sizes, and it is run with the rows of its members.
   */
  readonly size?: number;
}

/** Rows that came from callers. */
export function rowsOf({ memberRows }: Pick<RunMessage, 'memberRows'>): number {
  return memberRows.reduce((sum, count) => sum + count, 0);
}

export type ToWorker = RunMessage | { readonly kind: 'close' };

export type FromWorker =
  | {
      readonly kind: 'ready';
      readonly inputs: readonly TensorSpec[];
      readonly outputs: readonly TensorSpec[];
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'done'; readonly computeMs: number; readonly sent: readonly Tensor[] }
  | { readonly kind: 'failed'; readonly reason: string }
  | ({ readonly kind: 'kept_back' } & KeptBack);

/** Why a batch was not run: positions of members that were running when the process crashed. */
export interface KeptBack {
  /** At two crashes: they are not to be run. */
  readonly refused: readonly number[];
  /** At one: they are to be run by themselves. */
  readonly suspected: readonly number[];
}
