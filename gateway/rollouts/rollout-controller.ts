import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Experiment } from '../../experiments/definition.ts';
import type { MetFloor } from '../../experiments/rollouts/fault-counter.ts';
import type { Judgement } from '../../experiments/rollouts/judgement.ts';
import type { RolloutEvent } from '../../experiments/rollouts/machine/event.ts';
import { isExposed } from '../../experiments/rollouts/machine/retreat.ts';
import type { RolloutPlan } from '../../experiments/rollouts/plan.ts';
import { drivenRollout } from '../../experiments/rollouts/rollout-step.ts';
import type { DrivenRollout, RolloutStep } from '../../experiments/rollouts/rollout-step.ts';
import { givesMore, isOver, isSameTarget } from '../../experiments/rollouts/state.ts';
import type { RolloutRecord, RolloutTarget } from '../../experiments/rollouts/state.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import { LeaseLost, StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import type { RolloutJudge } from './rollout-judge.ts';
import type { RolloutSteps } from './rollout-steps.ts';

/** Between two looks at what time alone may change; a look asks nobody. */
const LOOK_EVERY_MS = 100;

export interface RolloutControllerOptions {
  readonly experiments: Pick<StandingBook, 'situations' | 'situation'>;
  readonly judge: Pick<RolloutJudge, 'judge'>;
  readonly steps: Pick<RolloutSteps, 'next' | 'take'>;
  /** Whether this process drives the rollouts. */
  readonly isLeading: () => boolean;
  /** Another replica that can't answer for what is rolled out yet; undefined: all can. */
  readonly objector: (experiment: string, target: RolloutTarget) => Promise<string | undefined>;
  /** How long replicas get to object before anybody is sent to what is new. */
  readonly objectionMs: number;
  /** How long a change takes to be in force on all replicas. */
  readonly spreadMs: number;
  readonly log: Logger;
  /** Milliseconds since 1970, the same on all replicas. */
  readonly nowMs: () => number;
}

/** An analysis that changed nothing: what it came to, and what it would have made of the rollout. */
export interface DryRun {
  readonly judgement: Judgement;
  readonly step: RolloutStep | undefined;
}

/** A floor that was met, and by what: what is rolled out may be something else by the time that it is heard of. */
export interface TargetFloor extends MetFloor {
  readonly target: RolloutTarget;
}

/** What is remembered of a rollout between looks; all of it may be forgotten at any moment. */
interface Memory {
  analysedMs: number;
  /** A floor that was met, and is not stored yet. */
  floor: TargetFloor | undefined;
  /** The way back from a floor that is under way, beside whatever else is. */
  retreat: Promise<void> | undefined;
  /** The replica that holds it, as it was told last. */
  objector: string | undefined;
  /** A step that is being stored. */
  work: Promise<void> | undefined;
  /** An analysis that is under way; it may wait for others, and what takes the variant's share away waits for none. */
  analysis: Analysis | undefined;
}

interface Analysis {
  /** Where the rollout stood; what is found says nothing once it has moved on. */
  readonly of: RolloutRecord;
  readonly moved: AbortController;
  readonly done: Promise<void>;
}

/**
 * Drives the rollouts: finds what is due, has it judged where that is an analysis, and has each step stored before it takes effect.
 *
 * Nothing of it is kept here: a process that dies leaves the rollout in the store, and the next one goes on from there. Where the
 * store is away it holds: weights stay, and nothing is promoted.
 */
export class RolloutController {
  readonly #options: RolloutControllerOptions;
  readonly #memory = new Map<string, Memory>();
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #storeFault = '';

  constructor(options: RolloutControllerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.look();
    }, LOOK_EVERY_MS);
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.settled();
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(
      [...this.#memory.values()].flatMap(({ work, retreat, analysis }) =>
        [work ?? [], retreat ?? [], analysis?.done ?? []].flat(),
      ),
    );
  }

  /** Looks at every rollout, and begins what is due. */
  look(): void {
    for (const situation of this.#options.experiments.situations) {
      const driven = drivenRollout(situation);
      if (driven !== undefined) this.#begin(situation, driven);
    }
  }

  /**
   * A hard floor was met on this replica. It rolls back at once, as a person could: no lease is needed to go back, and an analysis that is under way, which
   * may wait for others, isn't waited for. What that decides of a rollout that has gone back since is not stored.
   */
  meetFloor(key: string, floor: TargetFloor): void {
    const memory = this.#memoryOf(key);
    memory.floor = floor;
    this.#retreat(key, memory);
  }

  /** @returns undefined where the experiment has no rollout that is driven */
  async dryRun(key: string): Promise<DryRun | undefined> {
    const situation = this.#options.experiments.situation(key);
    const driven = situation && drivenRollout(situation);
    if (situation === undefined || driven?.record === undefined) return undefined;
    const { experiment } = situation;
    const judgement = await this.#judge(experiment, driven.plan, driven.record);
    return {
      judgement,
      step: this.#options.steps.next(experiment, driven, { kind: 'analysed', judgement }),
    };
  }

  #begin(situation: Situation, driven: DrivenRollout): void {
    const { key } = situation.experiment;
    const memory = this.#memoryOf(key);
    if (memory.floor !== undefined) {
      this.#retreat(key, memory);
      return;
    }
    if (memory.analysis !== undefined && !isDeepStrictEqual(memory.analysis.of, driven.record))
      memory.analysis.moved.abort();
    if (memory.work !== undefined) return;
    // What was counted is lost where the store was: a person has to say how it goes on.
    if (situation.standing.isRecovered || !this.#options.isLeading()) return;
    const due = this.#dueStep(situation, driven, memory);
    if (due !== undefined) {
      memory.work = this.#guarded(key, due).finally(() => {
        memory.work = undefined;
      });
    } else if (driven.record !== undefined && this.#isAnalysisDue(driven.plan, driven.record, memory)) {
      const of = driven.record;
      const moved = new AbortController();
      const done = this.#guarded(key, () => this.#analyse(situation, driven, of, moved.signal)).finally(
        () => {
          memory.analysis = undefined;
        },
      );
      memory.analysis = { of, moved, done };
    }
  }

  /** The step that is to be taken now; undefined: none. */
  #dueStep(situation: Situation, driven: DrivenRollout, memory: Memory): (() => Promise<void>) | undefined {
    const { experiment } = situation;
    const { record } = driven;
    const { steps, objectionMs, spreadMs } = this.#options;
    const nowMs = this.#nowMs();
    const event: RolloutEvent = { kind: isSpread(record, nowMs, spreadMs) ? 'in_force' : 'clock' };
    if (record?.state.kind === 'pending' && nowMs - record.state.sinceMs < objectionMs) return undefined;
    const step = steps.next(experiment, driven, event);
    if (step === undefined) return undefined;
    // What an analysis that is under way finds is judged before any gate.
    const isGate = isExposed(step.record.state) || step.cause.code === 'progress_deadline';
    if (memory.analysis !== undefined && isGate) return undefined;
    return () => this.#goOn(experiment.key, driven, event, step);
  }

  #isAnalysisDue(
    { intervalMs }: RolloutPlan,
    { state }: RolloutRecord,
    { analysis, analysedMs }: Memory,
  ): boolean {
    if (analysis !== undefined || !('at' in state)) return false;
    return this.#nowMs() - Math.max(analysedMs, state.at.sinceMs) >= intervalMs;
  }

  async #analyse(
    situation: Situation,
    driven: DrivenRollout,
    of: RolloutRecord,
    moved: AbortSignal,
  ): Promise<void> {
    const { experiment } = situation;
    const judgement = await this.#judge(experiment, driven.plan, of, moved);
    if (moved.aborted) return;
    this.#memoryOf(experiment.key).analysedMs = this.#nowMs();
    const analysed: RolloutEvent = { kind: 'analysed', judgement };
    const { outcome, findings } = judgement;
    this.#options.log.info({ experiment: experiment.key, outcome, findings }, 'the rollout was analysed');
    const next = this.#options.steps.next(experiment, driven, analysed);
    if (next !== undefined) await this.#goOn(experiment.key, driven, analysed, next);
  }

  /** Takes a step, unless it would send more to what another replica can't answer for. */
  async #goOn(
    key: string,
    { plan, target, record }: DrivenRollout,
    event: RolloutEvent,
    step: RolloutStep,
  ): Promise<void> {
    if (record !== undefined && givesMore(plan, step.record.state, record.state)) {
      const { objector, log } = this.#options;
      const memory = this.#memoryOf(key);
      const replica = await objector(key, target);
      if (replica !== undefined && replica !== memory.objector)
        log.warn(
          { experiment: key, replica },
          'a replica can not answer for what is rolled out: nobody gets more of it',
        );
      memory.objector = replica;
      if (replica !== undefined) return;
    }
    await this.#options.steps.take(key, { judgedOn: record }, event, step);
  }

  #retreat(key: string, memory: Memory): void {
    memory.retreat ??= this.#guarded(key, () => this.#takeFloor(key, memory)).finally(() => {
      memory.retreat = undefined;
    });
  }

  async #takeFloor(key: string, memory: Memory): Promise<void> {
    const { floor } = memory;
    if (floor === undefined) return;
    // What had not begun has begun by the first of them, and there is something to take back.
    if ((await this.#goBack(key, floor)) === 'begun') await this.#goBack(key, floor);
    // Another may have been met meanwhile.
    if (memory.floor === floor) memory.floor = undefined;
  }

  /** @throws StoreUnavailable: the floor is kept then */
  async #goBack(key: string, { target, ...met }: TargetFloor): Promise<'begun' | 'back'> {
    const { experiments, steps } = this.#options;
    const situation = experiments.situation(key);
    if (situation === undefined) return 'back';
    const driven = drivenRollout(situation);
    if (driven === undefined || !isSameTarget(driven.target, target)) return 'back';
    const event: RolloutEvent = { kind: 'hard_floor', ...met };
    const step = steps.next(situation.experiment, driven, event);
    if (step !== undefined) await steps.take(key, { whateverBecameOf: target }, event, step);
    return driven.record === undefined ? 'begun' : 'back';
  }

  #judge(
    experiment: Experiment,
    plan: RolloutPlan,
    record: RolloutRecord,
    moved?: AbortSignal,
  ): Promise<Judgement> {
    const signals = moved === undefined ? [this.#stopped.signal] : [this.#stopped.signal, moved];
    return this.#options.judge.judge(experiment, plan, record, AbortSignal.any(signals));
  }

  async #guarded(key: string, work: () => Promise<void>): Promise<void> {
    const { log } = this.#options;
    try {
      await work();
      if (this.#storeFault !== '') log.info('the state store is back, and the rollouts go on');
      this.#storeFault = '';
    } catch (error) {
      if (error instanceof LeaseLost) return;
      if (!(error instanceof StoreUnavailable)) {
        log.error({ experiment: key, err: error }, 'a rollout could not be driven; it is tried again');
        return;
      }
      if (this.#storeFault === '')
        log.error(
          { fault: error.message },
          'the state store is away, so the rollouts hold: nothing is promoted',
        );
      this.#storeFault = error.message;
    }
  }

  #memoryOf(key: string): Memory {
    let memory = this.#memory.get(key);
    if (memory === undefined) {
      memory = {
        analysedMs: -Infinity,
        floor: undefined,
        retreat: undefined,
        objector: undefined,
        work: undefined,
        analysis: undefined,
      };
      this.#memory.set(key, memory);
    }
    return memory;
  }

  #nowMs(): number {
    return this.#options.nowMs();
  }
}

/** Whether what was stored last has reached all replicas, where the rollout waits for that. */
function isSpread(record: RolloutRecord | undefined, nowMs: number, spreadMs: number): boolean {
  const state = record?.state;
  if (state === undefined || isOver(state) || !('sinceMs' in state)) return false;
  return nowMs - state.sinceMs >= spreadMs;
}
