import { BackendError } from '../../backends/errors.ts';
import type { InferAnswer, InferRequest } from '../../backends/inference.ts';
import type { Servable } from '../../backends/servable.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import type { Choice } from '../../experiments/decision.ts';
import type { Mirror, Variant } from '../../experiments/definition.ts';
import { compareAnswers } from '../../experiments/mirror/compare-answers.ts';
import type { Comparison } from '../../experiments/mirror/compare-answers.ts';
import type { MirrorPair } from '../../experiments/mirror/mirror-fields.ts';
import { hashUnit } from '../../experiments/assignment.ts';
import { RecentlySeen } from '../exposures/recently-seen.ts';
import { measuredRun } from '../pipeline/run-times.ts';
import type { Metrics, MirrorOutcome } from '../telemetry/metrics.ts';
import type { MirroredCopy } from '../telemetry/tracing/mirror-span.ts';
import { bytesOf, answerOutputs, ownOutputs } from '../answers/answer-outputs.ts';
import type { MirrorRecorder } from './mirror-recorder.ts';

export interface MirrorsOptions {
  /** What answers for a variant, where it is ready. */
  readonly version: (model: string, variant: Variant) => Servable | undefined;
  readonly recorder: MirrorRecorder;
  readonly metrics: Pick<Metrics, 'recordMirror'>;
  /** Whether the main thread has no time to spare. */
  readonly isBusy: () => boolean;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  /** How long a shadow may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** A request as its caller sent it, and the answer that the caller got. */
export interface Answered {
  readonly choice: Choice;
  readonly version: Servable;
  readonly request: Pick<InferRequest, 'inputs' | 'outputs'>;
  readonly answer: InferAnswer;
  /** Told of each copy that was sent, once it is answered; undefined where nothing is traced. */
  readonly trace?: ((copy: MirroredCopy) => void) | undefined;
}

/** Why a copy was not sent. */
export type DropReason =
  /** The gateway's main thread, the device or the shadow's instances have no room. */
  | 'busy'
  /** As many copies, or bytes of them, are under way as may be. */
  | 'full'
  /** The shadow's version is not loaded. */
  | 'not_ready'
  /** Its variant's server speaks a protocol in which it is passed on undecoded. */
  | 'undecoded';

const NONE: readonly Mirror[] = [];

/** Answers that wait for the end of the event loop's turn; of one more the copy is dropped. */
const MOST_WAITING = 256;

/** Inputs and outputs of the copies that are under way. */
const MOST_BYTES = 64 * 1024 ** 2;

/** Units that are known to have been compared before. */
const REMEMBERED_UNITS = 100_000;

/**
 * Sends shadows copies of a share of the requests, and has their answers compared.
 *
 * A copy is sent after its caller's answer, and only where it runs at once: when the main thread has time, an instance of the shadow
 * and the device are free, and nobody waits for either. Else it is dropped and counted; nothing is ever queued. The memory that
 * copies hold is bounded.
 */
export class Mirrors {
  readonly #options: MirrorsOptions;
  readonly #seenUnits = new RecentlySeen(REMEMBERED_UNITS);
  /** Rows under way, by shadow. */
  readonly #rows = new WeakMap<Servable, number>();
  readonly #underWay = new Set<Promise<void>>();
  #waiting = 0;
  #bytes = 0;
  #isClosed = false;

  constructor(options: MirrorsOptions) {
    this.#options = options;
  }

  /** The shadows that a request is to be copied to, drawn by their shares; before it is answered, since a copy needs it decoded. */
  draw({ experiment, variant }: Choice): readonly Mirror[] {
    const { mirrors, status } = experiment;
    if (mirrors.length === 0 || status !== 'running' || this.#isClosed) return NONE;
    const { random } = this.#options;
    return mirrors.filter(({ variant: shadow, share }) => shadow.name !== variant.name && random() < share);
  }

  /** A request that was to be copied was passed on to its variant's server in a protocol that says nothing of its inputs. */
  missed(choice: Choice, drawn: readonly Mirror[]): void {
    for (const mirror of drawn) this.#drop({ choice }, mirror, 'undecoded');
  }

  /**
   * Takes note of a request that was answered, before the answer's memory goes back.
   *
   * @param drawn the shadows that it is to be copied to
   * @returns whether it will give the memory back itself, after the caller has the answer
   */
  offer(answered: Answered, drawn: readonly Mirror[]): boolean {
    if (drawn.length === 0 || this.#isClosed) return false;
    if (this.#waiting >= MOST_WAITING) {
      for (const mirror of drawn) this.#drop(answered, mirror, 'full');
      return false;
    }
    this.#waiting += 1;
    // The caller's answer is written in this turn of the event loop.
    setImmediate(() => {
      this.#waiting -= 1;
      this.#copy(answered, drawn);
    });
    return true;
  }

  /** Ends when the copies that are under way are answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#waiting > 0) await new Promise(setImmediate);
    await Promise.all(this.#underWay);
  }

  #copy(answered: Answered, drawn: readonly Mirror[]): void {
    const { answer, request } = answered;
    const roomy = drawn.flatMap((mirror) => {
      const shadow = this.#shadowWithRoom(answered, mirror);
      return shadow === undefined ? [] : [{ mirror, shadow }];
    });
    // Its outputs in memory of their own: to keep the lent memory would keep that of its whole batch.
    const outputs = roomy.length === 0 ? [] : ownOutputs(answer.outputs);
    answer.release();
    const bytes = bytesOf(request.inputs) + bytesOf(outputs);
    for (const { mirror, shadow } of roomy) {
      if (this.#bytes + bytes > MOST_BYTES) {
        this.#drop(answered, mirror, 'full');
        continue;
      }
      this.#bytes += bytes;
      const sent = this.#send(answered, outputs, mirror, shadow).finally(() => {
        this.#bytes -= bytes;
        this.#underWay.delete(sent);
      });
      this.#underWay.add(sent);
    }
  }

  #shadowWithRoom(answered: Answered, mirror: Mirror): Servable | undefined {
    const { version, isBusy } = this.#options;
    const shadow = version(answered.choice.experiment.model, mirror.variant);
    if (shadow === undefined) {
      this.#drop(answered, mirror, 'not_ready');
      return undefined;
    }
    const rows = rowsOf(answered, shadow);
    // One batch at a time: whoever comes to the shadow meanwhile has at most that one before them.
    const isOne = (this.#rows.get(shadow) ?? 0) + rows <= Math.max(1, shadow.about.maxBatchSize);
    if (isOne && !isBusy() && shadow.hasRoomFor(rows)) return shadow;
    this.#drop(answered, mirror, 'busy');
    return undefined;
  }

  async #send(
    answered: Answered,
    outputs: readonly Tensor[],
    mirror: Mirror,
    shadow: Servable,
  ): Promise<void> {
    const { choice, request, version, answer } = answered;
    const { timeoutMs, recorder, metrics } = this.#options;
    const { experiment } = choice;
    const pair = pairOf(answered, mirror);
    const rows = rowsOf(answered, shadow);
    this.#rows.set(shadow, (this.#rows.get(shadow) ?? 0) + rows);
    const release = shadow.hold();
    const startMs = performance.now();
    let mirrored: InferAnswer | undefined;
    let result: MirrorOutcome = 'failed';
    try {
      const { outputs: known, config } = shadow.about;
      // An output that the shadow lacks is a difference, no reason to have nothing to compare. A server elsewhere may not tell what it has.
      const wanted =
        known.length === 0
          ? request.outputs
          : request.outputs?.filter((name) => known.some((output) => output.name === name));
      const { priorityLevels } = config.batching;
      mirrored = await shadow.infer({
        inputs: request.inputs,
        ...(wanted !== undefined && { outputs: wanted }),
        // The last of its levels; it may have none.
        ...(priorityLevels > 0 && { priority: priorityLevels }),
        deadlineMs: performance.now() + timeoutMs,
      });
      const comparison = compareAnswers(answerOutputs(outputs), answerOutputs(mirrored.outputs), {
        batches: version.about.maxBatchSize > 0,
        labels: version.about.labels,
      });
      recorder.compared(experiment, pair, comparison, {
        isFirstOfUnit: this.#isFirstOfUnit(choice, pair),
        computeMs: {
          variant: measuredRun({ version }, answer).computeMs,
          mirror: measuredRun({ version: shadow }, mirrored).computeMs,
        },
      });
      result = resultOf(comparison);
    } catch (error) {
      recorder.uncompared(
        experiment,
        pair,
        'failed',
        error instanceof BackendError ? error.fault : 'internal',
      );
    } finally {
      metrics.recordMirror(experiment.key, mirror.variant.name, result);
      answered.trace?.({
        experiment: experiment.key,
        variant: mirror.variant.name,
        model: shadow.about.model,
        version: shadow.about.version,
        result,
        startMs,
        endMs: performance.now(),
        answer: mirrored,
      });
      this.#rows.set(shadow, (this.#rows.get(shadow) ?? 0) - rows);
      mirrored?.release();
      release();
    }
  }

  #isFirstOfUnit({ experiment, unit, hash }: Choice, { variant, mirror }: MirrorPair): boolean {
    if (unit === undefined) return true;
    const split = hash ?? hashUnit(experiment.seed, unit);
    return this.#seenUnits.add(`${experiment.key} ${experiment.phase} ${variant} ${mirror} ${split}`);
  }

  #drop(answered: Pick<Answered, 'choice'>, mirror: Mirror, reason: DropReason): void {
    const { recorder, metrics } = this.#options;
    const { experiment } = answered.choice;
    recorder.uncompared(experiment, pairOf(answered, mirror), 'dropped', reason);
    metrics.recordMirror(experiment.key, mirror.variant.name, 'dropped');
  }
}

function pairOf({ choice }: Pick<Answered, 'choice'>, mirror: Mirror): MirrorPair {
  return { variant: choice.variant.name, mirror: mirror.variant.name };
}

/** Rows that a request takes in a batch of the shadow. */
function rowsOf({ request }: Answered, { about: { maxBatchSize } }: Servable): number {
  return maxBatchSize === 0 ? 1 : Math.max(1, request.inputs[0]?.shape[0] ?? 1);
}

function resultOf({ labels }: Comparison): 'agree' | 'disagree' | 'compared' {
  if (labels === undefined) return 'compared';
  return labels.every(({ answered, mirrored }) => answered === mirrored) ? 'agree' : 'disagree';
}
