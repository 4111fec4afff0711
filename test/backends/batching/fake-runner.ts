import { Batcher } from '../../../backends/batching/batcher.ts';
import type { BatcherOptions } from '../../../backends/batching/batcher.ts';
import type { BatchingConfig } from '../../../backends/batching/batching-config.ts';
import type { BatchMember, BatchResult, BatchRunner } from '../../../backends/batching/runner.ts';
import { BackendError } from '../../../backends/errors.ts';
import type { InferAnswer, InferRequest, ReleaseReason } from '../../../backends/inference.ts';
import { DEFAULT_MODEL_CONFIG } from '../../../backends/repository/model-config.ts';
import { Device } from '../../../backends/scheduling/device.ts';

/** A batch that a {@link FakeRunner} was given; it runs until the test says how it ends. */
export class FakeBatch {
  readonly names: readonly string[];
  readonly rows: number;
  /** Shares that were given back. */
  released = 0;
  readonly #settlement = Promise.withResolvers<BatchResult>();

  constructor(members: readonly BatchMember[], rows: number) {
    this.names = members.map((member) => nameOf(member.request));
    this.rows = rows;
  }

  get result(): Promise<BatchResult> {
    return this.#settlement.promise;
  }

  /** Answers each request with an output that bears the request's name. */
  finish(): void {
    this.#settlement.resolve({
      computeMs: 7,
      outputsOf: (index) => [
        { name: this.names[index] ?? 'nobody', datatype: 'BYTES', shape: [0], data: [] },
      ],
      release: () => {
        this.released += 1;
      },
    });
  }

  fail(error: Error): void {
    this.#settlement.reject(error);
  }
}

/** An instance whose runs end when the test ends them. */
export class FakeRunner implements BatchRunner {
  readonly batches: FakeBatch[] = [];

  run(members: readonly BatchMember[], rows: number): Promise<BatchResult> {
    const batch = new FakeBatch(members, rows);
    this.batches.push(batch);
    return batch.result;
  }

  /** The requests of each batch it was given. */
  get names(): readonly (readonly string[])[] {
    return this.batches.map((batch) => batch.names);
  }

  batch(index: number): FakeBatch {
    const batch = this.batches[index];
    if (batch === undefined) throw new Error(`the runner was given no batch ${index}`);
    return batch;
  }
}

/** A batcher on a device where nothing has to wait for a thread, and what it told of its batches. */
export function batcherOf({
  maxRows = 8,
  device = new Device(64),
  permits = 1,
  ...batching
}: Partial<BatchingConfig> & Partial<Pick<BatcherOptions, 'maxRows' | 'device' | 'permits'>> = {}): {
  readonly batcher: Batcher;
  readonly told: [rows: number, reason: ReleaseReason][];
} {
  const told: [rows: number, reason: ReleaseReason][] = [];
  const batcher = new Batcher({
    maxRows,
    device,
    permits,
    batching: { ...DEFAULT_MODEL_CONFIG.batching, ...batching },
    onBatch: (rows, reason) => told.push([rows, reason]),
  });
  return { batcher, told };
}

interface Asked {
  readonly rows?: number;
  readonly lane?: string;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly priority?: number;
  readonly timeoutMs?: number;
}

/** Sends a request of one row, unless it says otherwise, that never expires. */
export function ask(batcher: Batcher, name: string, asked: Asked = {}): Promise<InferAnswer> {
  const { rows = 1, lane = '', deadlineMs = Infinity, ...others } = asked;
  const answer = batcher.submit({ inputs: [], outputs: [name], deadlineMs, ...others }, rows, lane);
  // A test looks at its answers when it likes; until then a rejection is nobody's mistake.
  answer.catch(() => undefined);
  return answer;
}

/** How a request ended: the name on its answer, or why it got none. */
export async function outcomeOf(answer: Promise<InferAnswer>): Promise<string> {
  try {
    const { outputs } = await answer;
    return outputs.map((output) => output.name).join();
  } catch (error) {
    if (error instanceof BackendError) return error.fault;
    throw error;
  }
}

function nameOf(request: InferRequest): string {
  return request.outputs?.join() ?? '';
}

/** As many turns of the event loop as a batch may be filled over; the clock, where it is a fake, stands still. */
export async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
