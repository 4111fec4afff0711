import { setTimeout } from 'node:timers/promises';
import type { ChainableCommander } from 'ioredis';
import type { Epoch } from '../epoch.ts';
import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import { readMirrorTallies } from '../mirror/mirror-tally.ts';
import type { MirrorTally } from '../mirror/mirror-tally.ts';
import { closeWindow, countDuplicate, countRequests, expose, settle } from './ledger.ts';
import type { ExposureBatch, OpenWindow, Outcome, OutcomeStatus, Scope, UnitState } from './ledger.ts';
import { ScopeKeys } from './redis-scope-keys.ts';
import type { RedisConnection } from './redis-scripts.ts';
import { StoreUnavailable } from './state-store.ts';
import type { ExperimentData, Landed, Landings, SharedClock } from './state-store.ts';
import { readTallies } from './tallies.ts';
import type { Tallies, TallyDelta } from './tallies.ts';

/** How often a step is tried because another replica changed its unit in between. */
const MAX_TRIES = 30;

/** Units that are closed in one round trip. */
const CLOSED_AT_ONCE = 500;

/** What is known of a unit and of its claims at one moment; steps go on from it and are written if it still holds. */
interface Read {
  readonly unit: UnitState | undefined;
  /** The claims that were asked for and are taken. */
  readonly claimed: ReadonlySet<string>;
}

interface Written {
  readonly unit: UnitState | undefined;
  readonly deltas: readonly TallyDelta[];
  readonly opens: readonly OpenWindow[];
  readonly closesMs: readonly number[];
  /** Keys of claims, and for how long they hold. */
  readonly claims: readonly (readonly [key: string, ttlMs: number])[];
}

/** All that a batch has for one unit of one phase. */
interface Work {
  /** Undefined for an outcome of a request that named no unit. */
  readonly unit: string | undefined;
  readonly claimKeys: readonly string[];
  step(read: Read): Written;
}

/**
 * An experiment's data in Redis. Units are read, stepped on here by the same rules as in the other stores, and written by one
 * script that does nothing where the unit has changed in between; then it is read again.
 */
export class RedisExperimentData implements ExperimentData, Landings {
  readonly #redis: RedisConnection;
  readonly #clock: SharedClock;
  #turn: Promise<void> = Promise.resolve();

  constructor(redis: RedisConnection, clock: SharedClock) {
    this.#redis = redis;
    this.#clock = clock;
  }

  async recordExposures({ epochs, requests, units }: ExposureBatch): Promise<void> {
    for (const { experiment, phase, ...epoch } of epochs) {
      const keys = new ScopeKeys({ experiment, phase });
      await this.#redis.hsetnx(
        keys.epochs,
        String(epoch.epoch),
        JSON.stringify({ seenMs: this.#clock.nowMs(), epoch }),
      );
    }
    for (const [keys, counts] of byScope(requests)) {
      const deltas = counts.flatMap(countRequests);
      if (deltas.length > 0) await this.#redis.signalboxAddUp(keys.sums, ...deltas.flat());
    }
    for (const [keys, exposures] of byScope(units)) {
      const works = [...Map.groupBy(exposures, ({ unit }) => unit)].map(([unit, ofUnit]): Work => ({
        unit,
        claimKeys: [],
        step: (read) => {
          let state = read.unit;
          const deltas: TallyDelta[] = [];
          const opens: OpenWindow[] = [];
          for (const exposure of ofUnit) {
            const step = expose(state, exposure);
            state = step.unit ?? state;
            deltas.push(...step.deltas);
            opens.push(...(step.opens ?? []));
          }
          return { unit: state, deltas, opens, closesMs: [], claims: [] };
        },
      }));
      await this.#apply(keys, works);
    }
  }

  async recordOutcomes(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]> {
    const statuses: OutcomeStatus[] = [];
    const numbered = outcomes.map((outcome, index) => ({ ...outcome, index }));
    for (const [keys, ofScope] of byScope(numbered)) {
      const groups = Map.groupBy(ofScope, ({ unit, uid }) => unit ?? `request ${uid}`);
      const works = [...groups.values()].map((ofUnit): Work => {
        const claimKeyOf = ({ uid, metric }: Outcome): string => keys.claim(uid, metric.name);
        return {
          unit: ofUnit[0]?.unit,
          claimKeys: [...new Set(ofUnit.map(claimKeyOf))],
          step: (read) => {
            let state = read.unit;
            const deltas: TallyDelta[] = [];
            const opens: OpenWindow[] = [];
            const claims = new Map<string, number>();
            for (const outcome of ofUnit) {
              const key = claimKeyOf(outcome);
              if (read.claimed.has(key) || claims.has(key)) {
                statuses[outcome.index] = 'duplicate';
                deltas.push(...countDuplicate(outcome));
                continue;
              }
              const step = settle(state, outcome);
              state = step.unit ?? state;
              deltas.push(...step.deltas);
              opens.push(...(step.opens ?? []));
              claims.set(key, Math.max(1, outcome.expiresMs - outcome.receivedMs));
              statuses[outcome.index] = step.status;
            }
            return { unit: state, deltas, opens, closesMs: [], claims: [...claims] };
          },
        };
      });
      await this.#apply(keys, works);
    }
    return statuses;
  }

  async tallies(
    experiment: string,
    phase: number,
    metrics: readonly CountedMetric[],
    nowMs: number,
  ): Promise<Tallies> {
    const keys = new ScopeKeys({ experiment, phase });
    for (;;) {
      const due = await this.#redis.zrangebyscore(keys.open, '-inf', nowMs, 'LIMIT', 0, CLOSED_AT_ONCE);
      if (due.length === 0) break;
      const windows = due.map((member) => {
        const [unit = '', windowMs] = member.split(' ');
        return { unit, windowMs: Number(windowMs) };
      });
      const works = [...Map.groupBy(windows, ({ unit }) => unit)].map(([unit, ofUnit]): Work => ({
        unit,
        claimKeys: [],
        step: (read) => {
          let state = read.unit;
          const deltas: TallyDelta[] = [];
          for (const { windowMs } of ofUnit) {
            if (state === undefined) continue;
            const step = closeWindow(state, windowMs, metrics);
            state = step.unit;
            deltas.push(...step.deltas);
          }
          const closesMs = ofUnit.map(({ windowMs }) => windowMs);
          return { unit: state, deltas, opens: [], closesMs, claims: [] };
        },
      }));
      await this.#apply(keys, works);
    }
    const [sums, epochs] = await Promise.all([
      this.#redis.hgetall(keys.sums),
      this.#redis.hgetall(keys.epochs),
    ]);
    const seen = Object.values(epochs)
      .map((json) => JSON.parse(json) as { readonly seenMs: number; readonly epoch: Epoch })
      .sort((a, b) => a.seenMs - b.seenMs);
    return readTallies(
      experiment,
      phase,
      Object.entries(sums).map(([field, sum]) => [field, Number(sum)] as const),
      seen.map(({ epoch }) => epoch),
    );
  }

  async recordMirrors({ sums, maxima, ...scope }: MirrorBatch): Promise<void> {
    const { mirrored } = new ScopeKeys(scope);
    await this.#redis.signalboxRecordMirrors(mirrored, sums.length, ...sums.flat(), ...maxima.flat());
  }

  async mirrors(experiment: string, phase: number): Promise<readonly MirrorTally[]> {
    const fields = await this.#redis.hgetall(new ScopeKeys({ experiment, phase }).mirrored);
    return readMirrorTallies(Object.entries(fields).map(([field, value]) => [field, Number(value)] as const));
  }

  async land(scope: Scope, unitHash: number, variant: string, keepers: readonly string[]): Promise<Landed> {
    const { landed } = new ScopeKeys(scope);
    const [where, isNew] = await this.#redis.signalboxLand(landed, unitHash, variant, ...keepers);
    return { variant: where, isNew: isNew === 1 };
  }

  async landing(scope: Scope, unitHash: number): Promise<string | undefined> {
    return (await this.#redis.hget(new ScopeKeys(scope).landed, String(unitHash))) ?? undefined;
  }

  /** One batch at a time: two of one process would only undo each other's reads. */
  #apply(keys: ScopeKeys, works: readonly Work[]): Promise<void> {
    const turn = this.#turn.then(() => this.#applyInTurn(keys, works));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Reads, steps and writes until every unit's step is written, in two round trips where nobody else is at the same units. */
  async #applyInTurn(keys: ScopeKeys, works: readonly Work[]): Promise<void> {
    let waiting = works;
    for (let tries = 0; waiting.length > 0; tries++) {
      if (tries === MAX_TRIES) throw new StoreUnavailable('Redis: a unit changed at every try to write it');
      // Replicas that are at the same unit step out of each other's way.
      if (tries > 0) await setTimeout(Math.random() * tries);
      const texts = await this.#read(keys, waiting);
      const pipeline = this.#redis.pipeline();
      waiting.forEach((work, index) => {
        write(pipeline, keys, work, texts[index] ?? NOTHING_READ);
      });
      const replies = await execute(pipeline);
      waiting = waiting.filter((_, index) => replies[index] !== 1);
    }
  }

  async #read(keys: ScopeKeys, works: readonly Work[]): Promise<readonly RawRead[]> {
    const names = works.flatMap(({ unit, claimKeys }) => [
      ...(unit === undefined ? [] : [keys.unit(unit)]),
      ...claimKeys,
    ]);
    if (names.length === 0) return [];
    const values = await this.#redis.mget(names);
    let at = 0;
    return works.map(({ unit, claimKeys }) => {
      const text = unit === undefined ? undefined : (values[at++] ?? undefined);
      const claimed = new Set(claimKeys.filter(() => typeof values[at++] === 'string'));
      return { text, claimed };
    });
  }
}

interface RawRead {
  readonly text: string | undefined;
  readonly claimed: ReadonlySet<string>;
}

const NOTHING_READ: RawRead = { text: undefined, claimed: new Set() };

function write(pipeline: ChainableCommander, keys: ScopeKeys, work: Work, { text, claimed }: RawRead): void {
  const before = text === undefined ? undefined : (JSON.parse(text) as UnitState);
  const { unit, deltas, opens, closesMs, claims } = work.step({ unit: before, claimed });
  const name = work.unit;
  const after = unit === undefined ? '' : JSON.stringify(unit);
  const mode = name === undefined ? 'any' : text === undefined ? 'none' : 'is';
  pipeline.signalboxApplyStep(
    4 + claims.length,
    keys.sums,
    keys.open,
    keys.before,
    // A step without a unit doesn't look at that key; it only has to be of the same slot.
    name === undefined ? keys.sums : keys.unit(name),
    ...claims.map(([key]) => key),
    mode,
    text ?? '',
    after === text ? '' : after,
    ...claims.map(([, ttlMs]) => ttlMs),
    opens.length,
    ...opens.flatMap(({ windowMs, closesMs: atMs }) => [atMs, `${name ?? ''} ${windowMs}`]),
    closesMs.length,
    ...closesMs.map((windowMs) => `${name ?? ''} ${windowMs}`),
    ...deltas.flat(),
  );
}

/** @throws the first command's error */
async function execute(pipeline: ChainableCommander): Promise<readonly unknown[]> {
  const replies = (await pipeline.exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw error;
  return replies.map(([, reply]) => reply);
}

function byScope<Item extends Scope>(
  items: readonly Item[],
): readonly (readonly [ScopeKeys, readonly Item[]])[] {
  const groups = Map.groupBy(items, ({ experiment, phase }) => `${experiment} ${phase}`);
  return [...groups.values()].flatMap((group) =>
    group[0] === undefined ? [] : [[new ScopeKeys(group[0]), group]],
  );
}
