import type { BatchMember, BatchResult, BatchRunner } from '../batching/runner.ts';
import { MembersKeptBack, RunThrew, RunnerGone } from '../batching/runner.ts';
import { BackendError } from '../errors.ts';
import type { StatisticsRecorder } from '../statistics.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { elementCount } from '../tensor/tensor.ts';
import { viewOf } from '../tensor/datatype.ts';
import type { BatchLayout, PlannedOutput } from './batch-layout.ts';
import { gather, layOut, sliceRows } from './batch-layout.ts';
import { sizeFor } from './batch-sizes.ts';
import type { OnnxInstance, RunResult } from './instance.ts';
import { InstanceDied, RunFailed, RunHung, RunKeptBack } from './instance.ts';
import type { RunMessage } from './messages.ts';
import type { Slab, SlabPool } from './slab.ts';

export interface OnnxRunnerOptions {
  readonly slabs: SlabPool;
  readonly outputs: readonly PlannedOutput[];
  /** Whether the model takes several rows at once; else each request is a batch of its own. */
  readonly batches: boolean;
  /** The batch sizes that it is run with, ascending; empty: any. */
  readonly sizes: readonly number[];
  /** Told of every run that gave outputs. */
  readonly statistics: StatisticsRecorder;
  /** After that a run counts as hung: its callers are told, and the instance gets no more work until it has ended. */
  readonly runLimitMs: number | undefined;
  readonly onHung: () => void;
  /** The hung run has ended after all, and the instance can be given work again. */
  readonly onRecovered: () => void;
}

/** Gathers a batch into shared memory, has an instance run it, and hands each member its own rows. */
export class OnnxRunner implements BatchRunner {
  readonly instance: OnnxInstance;
  readonly #options: OnnxRunnerOptions;

  constructor(instance: OnnxInstance, options: OnnxRunnerOptions) {
    this.instance = instance;
    this.#options = options;
  }

  async run(members: readonly BatchMember[], totalRows: number): Promise<BatchResult> {
    const startMs = performance.now();
    const requests = members.map((member) => member.request);
    const [first] = requests;
    if (first === undefined) throw new Error('a batch has at least one request');
    const { batches, sizes } = this.#options;
    const rows = batches ? sizeFor(totalRows, sizes) : undefined;
    const layout = layOut(first.inputs, this.#wantedBy(members), rows);
    // One share for each member, and one for the run: nobody may use the memory again while the model writes to it.
    const slab = this.#options.slabs.lease(layout.bytes, members.length + 1);
    let hung: RunHung | undefined;
    try {
      const inputs = gather(requests, layout, slab.buffer, rows);
      const { placedOutputs, sentOutputs } = layout;
      const sentMs = performance.now();
      const message: RunMessage = {
        kind: 'run',
        slab: slab.buffer,
        inputs,
        placedOutputs,
        sentOutputs,
        memberRows: members.map((member) => member.rows),
        ...(rows !== undefined && sizes.length > 0 && { size: rows }),
      };
      const result = await this.instance.run(message, this.#options.runLimitMs);
      const outputs = outputsOfBatch(layout, slab, result);
      if (rows !== undefined) checkRows(outputs, rows);
      const inferMs = result.computeMs;
      // All that isn't gathering or running: the messages to the worker and back, and reading its outputs.
      const outputMs = Math.max(0, performance.now() - sentMs - inferMs);
      const scattered = this.#scatter(members, outputs, slab, inferMs);
      this.#options.statistics.recordExecution(members.length, totalRows, {
        inputMs: sentMs - startMs,
        inferMs,
        outputMs,
      });
      return scattered;
    } catch (error) {
      members.forEach(() => {
        slab.release();
      });
      if (error instanceof RunHung) {
        hung = error;
        this.#giveUp(members, error);
      }
      throw toBatchError(error);
    } finally {
      // The memory of a hung run is the model's until it ends.
      if (hung === undefined) slab.release();
      else void hung.ended.then(slab.release.bind(slab));
    }
  }

  #giveUp(members: readonly BatchMember[], hung: RunHung): void {
    const { onHung, onRecovered } = this.#options;
    for (const member of members) member.reject(new BackendError('expired_in_run', hung.message));
    onHung();
    void hung.ended.then((isAlive) => {
      if (isAlive) onRecovered();
    });
  }

  #wantedBy(members: readonly BatchMember[]): readonly PlannedOutput[] {
    const wanted = new Set<string>();
    for (const { request } of members) {
      if (request.outputs === undefined) return this.#options.outputs;
      for (const name of request.outputs) wanted.add(name);
    }
    return this.#options.outputs.filter(({ spec }) => wanted.has(spec.name));
  }

  #scatter(
    members: readonly BatchMember[],
    outputs: ReadonlyMap<string, Tensor>,
    slab: Slab,
    computeMs: number,
  ): BatchResult {
    const starts: number[] = [];
    let start = 0;
    for (const member of members) {
      starts.push(start);
      start += member.rows;
    }
    return {
      computeMs,
      outputsOf: (index) => {
        const member = members[index];
        if (member === undefined) throw new Error(`the batch has no member ${index}`);
        const names = member.request.outputs ?? this.#options.outputs.map(({ spec }) => spec.name);
        return names.map((name) => {
          const tensor = outputs.get(name);
          if (tensor === undefined) throw new Error(`the batch has no output "${name}"`);
          return this.#options.batches ? sliceRows(tensor, starts[index] ?? 0, member.rows) : tensor;
        });
      },
      release: () => {
        slab.release();
      },
    };
  }
}

/** What a failed run means to the batcher. */
function toBatchError(error: unknown): Error {
  if (error instanceof InstanceDied || error instanceof RunHung) return new RunnerGone(error);
  if (error instanceof RunKeptBack)
    return new MembersKeptBack(error.members.refused, error.members.suspected);
  if (error instanceof RunFailed) return new RunThrew(error.message, { cause: error });
  if (error instanceof BackendError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new BackendError('run_failed', `the model failed: ${reason}`, { cause: error });
}

function outputsOfBatch(layout: BatchLayout, slab: Slab, result: RunResult): ReadonlyMap<string, Tensor> {
  const outputs = new Map<string, Tensor>();
  for (const { name, datatype, shape, byteOffset } of layout.placedOutputs) {
    const data = viewOf(datatype, slab.buffer, byteOffset, elementCount(shape));
    outputs.set(name, { name, datatype, shape, data });
  }
  for (const tensor of result.sent) outputs.set(tensor.name, tensor);
  return outputs;
}

function checkRows(outputs: ReadonlyMap<string, Tensor>, rows: number): void {
  for (const { name, shape } of outputs.values()) {
    if (shape[0] === rows) continue;
    const found = `[${shape.join(', ')}]`;
    throw new BackendError(
      'run_failed',
      `output "${name}" has the shape ${found} for a batch of ${rows} rows: the model doesn't batch along its ` +
        'first dimension; set max_batch_size: 0 in its configuration',
    );
  }
}
