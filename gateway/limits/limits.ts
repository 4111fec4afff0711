import { hash } from 'node:crypto';
import { addressBlock } from './address-block.ts';
import type { Bucket, LimitKind, Standing } from './bucket.ts';
import { bucketsOf, withDefaults } from './caller-limits.ts';
import type { CallerLimits } from './caller-limits.ts';
import { Concurrency } from './concurrency.ts';
import { LocalBuckets } from './local-buckets.ts';
import type { Clocks } from './local-buckets.ts';
import type { Rate } from './rate.ts';
import { concurrencyRefusal, refusalOf } from './refusal.ts';
import type { Cost } from './refusal.ts';
import type { SharedBuckets } from './shared-buckets.ts';

/** The limits of `signalbox.yaml`. */
export interface LimitsConfig {
  readonly cost: Cost;
  /** For each address that calls without a key. */
  readonly address: CallerLimits;
  /** For each key and each subject of a token that has none of its own. */
  readonly key: CallerLimits;
  /** By model: for all that it is asked, whoever asks. */
  readonly models: ReadonlyMap<string, Rate>;
  /** By experiment: for all that it routes. */
  readonly experiments: ReadonlyMap<string, Rate>;
}

/** Somebody who is held to limits. */
export interface LimitedCaller {
  /** Empty for a caller without a key. */
  readonly id: string;
  /** Where a caller without a key calls from. */
  readonly address?: string;
  readonly limits: CallerLimits;
}

export interface LimitsOptions {
  /** What all replicas take from; left out: each process has its own limits. It is closed with these. */
  readonly shared?: SharedBuckets | undefined;
  /** Told of each refusal. */
  readonly onRefused?: (kind: LimitKind) => void;
  /** Told of each request that was held to limits kept here because Redis was away. */
  readonly onFallback?: () => void;
  readonly clocks?: Clocks;
}

interface CallerBuckets {
  readonly name: string;
  readonly whose: string;
  readonly concurrency: number | undefined;
  readonly buckets: readonly Bucket[];
}

/** Refusals of Redis that are remembered, so that callers who hammer are turned away without asking it. */
const MAX_REFUSALS = 10_000;

/** Names in Redis' keys are no longer than that. */
const MAX_NAME = 100;

/** Holds requests to the limits of their caller, their model and their experiment. */
export class Limits {
  #config: LimitsConfig;
  readonly #local: LocalBuckets;
  readonly #shared: SharedBuckets | undefined;
  readonly #concurrency = new Concurrency();
  readonly #onRefused: NonNullable<LimitsOptions['onRefused']>;
  readonly #onFallback: NonNullable<LimitsOptions['onFallback']>;
  #ofCaller = new WeakMap<LimitedCaller, CallerBuckets>();
  /** By model and by experiment, each made once. */
  #ofTarget = new Map<string, readonly Bucket[]>();
  /** What Redis refused, until when one row would pass. */
  readonly #refused = new Map<string, { readonly untilMs: number; readonly standing: Standing }>();

  constructor(config: LimitsConfig, options: LimitsOptions = {}) {
    const { shared, onRefused = () => undefined, onFallback = () => undefined } = options;
    this.#config = config;
    this.#local = new LocalBuckets(options.clocks);
    this.#shared = shared;
    this.#onRefused = onRefused;
    this.#onFallback = onFallback;
  }

  /** Puts other limits in force; what callers have used of theirs stays. */
  replace(config: LimitsConfig): void {
    this.#config = config;
    this.#ofCaller = new WeakMap();
    this.#ofTarget = new Map();
    this.#refused.clear();
  }

  /**
   * Counts a request as under way.
   *
   * @returns to be called once when it is answered; undefined where the caller has no such limit
   * @throws GatewayError `concurrency_limited`
   */
  enter(caller: LimitedCaller): (() => void) | undefined {
    const { name, whose, concurrency } = this.#callerBuckets(caller);
    if (concurrency === undefined) return undefined;
    const leave = this.#concurrency.enter(name, concurrency);
    if (leave !== undefined) return leave;
    this.#onRefused('concurrency');
    throw concurrencyRefusal(whose, concurrency);
  }

  /**
   * Takes one from the caller's own limits, for a request that is no inference.
   *
   * @returns undefined where it has none
   * @throws GatewayError `rate_limited`, `quota_exceeded`
   */
  takeOne(caller: LimitedCaller): Standing | undefined | Promise<Standing | undefined> {
    return this.#take(this.#callerBuckets(caller).buckets, 1);
  }

  /**
   * Refuses a caller at once of whom no inference, however small, would pass now. What it costs is taken when its rows are known.
   *
   * @throws GatewayError `rate_limited`, `quota_exceeded`
   */
  look(caller: LimitedCaller): void {
    const { buckets } = this.#callerBuckets(caller);
    if (buckets.length === 0) return;
    const standing =
      this.#shared?.isThere === true ? this.#knownRefusal(buckets) : this.#local.look(buckets, 1);
    if (standing?.allowed === false) throw this.#refuse(standing);
  }

  /**
   * Takes what an inference costs from the limits of its caller, its model and its experiment: from all, or from none.
   *
   * @param rows >= 1
   * @returns undefined where there are no limits
   * @throws GatewayError `rate_limited`, `quota_exceeded`
   */
  take(
    caller: LimitedCaller,
    model: string,
    experiment: string,
    rows: number,
  ): Standing | undefined | Promise<Standing | undefined> {
    const { models, experiments, cost } = this.#config;
    const own = this.#callerBuckets(caller).buckets;
    const others =
      models.size === 0 && experiments.size === 0 ? NONE : this.#targetBuckets(model, experiment);
    const buckets = others.length === 0 ? own : [...own, ...others];
    return buckets.length === 0 ? undefined : this.#take(buckets, cost === 'rows' ? rows : 1);
  }

  /** Whether an inference would be held to a limit that counts rows. */
  countsRows(caller: LimitedCaller, model: string, experiment: string): boolean {
    const { models, experiments, cost } = this.#config;
    if (cost !== 'rows') return false;
    if (this.#callerBuckets(caller).buckets.length > 0) return true;
    return (models.size > 0 || experiments.size > 0) && this.#targetBuckets(model, experiment).length > 0;
  }

  close(): void {
    this.#shared?.close();
  }

  #take(buckets: readonly Bucket[], cost: number): Standing | undefined | Promise<Standing | undefined> {
    if (buckets.length === 0) return undefined;
    if (this.#shared === undefined) return this.#checked(this.#local.take(buckets, cost));
    if (this.#shared.isThere) return this.#takeShared(this.#shared, buckets, cost);
    this.#onFallback();
    return this.#checked(this.#local.take(buckets, cost));
  }

  async #takeShared(
    shared: SharedBuckets,
    buckets: readonly Bucket[],
    cost: number,
  ): Promise<Standing | undefined> {
    const standing = await shared.take(buckets, cost);
    if (standing === undefined) {
      this.#onFallback();
      return this.#checked(this.#local.take(buckets, cost));
    }
    if (!standing.allowed) this.#remember(standing, cost);
    return this.#checked(standing);
  }

  /** @throws GatewayError where it isn't allowed */
  #checked(standing: Standing | undefined): Standing | undefined {
    if (standing?.allowed === false) throw this.#refuse(standing);
    return standing;
  }

  #refuse(standing: Standing): Error {
    this.#onRefused(standing.bucket.kind);
    return refusalOf(standing, this.#config.cost);
  }

  #remember(standing: Standing, cost: number): void {
    const { bucket, retryAfterMs } = standing;
    const spacingMs = bucket.period === 'day' ? Infinity : bucket.rate.periodMs / bucket.rate.limit;
    const forOneMs = cost === 1 ? retryAfterMs : retryAfterMs - (cost - 1) * spacingMs;
    if (!(forOneMs > 0) || forOneMs === Infinity) return;
    if (this.#refused.size >= MAX_REFUSALS) this.#refused.clear();
    this.#refused.set(nameOf(bucket), { untilMs: performance.now() + forOneMs, standing });
  }

  #knownRefusal(buckets: readonly Bucket[]): Standing | undefined {
    if (this.#refused.size === 0) return undefined;
    const nowMs = performance.now();
    for (const bucket of buckets) {
      const found = this.#refused.get(nameOf(bucket));
      if (found === undefined) continue;
      const leftMs = found.untilMs - nowMs;
      if (leftMs > 0) return { ...found.standing, retryAfterMs: leftMs };
      this.#refused.delete(nameOf(bucket));
    }
    return undefined;
  }

  #callerBuckets(caller: LimitedCaller): CallerBuckets {
    if (caller.id === '') return this.#addressBuckets(caller.address);
    const known = this.#ofCaller.get(caller);
    if (known !== undefined) return known;
    const limits = withDefaults(caller.limits, this.#config.key);
    const name = shortName(caller.id);
    const whose = caller.id;
    const made = {
      name,
      whose,
      concurrency: limits.concurrency,
      buckets: bucketsOf('key', name, whose, limits),
    };
    this.#ofCaller.set(caller, made);
    return made;
  }

  #addressBuckets(address: string | undefined): CallerBuckets {
    const { address: limits } = this.#config;
    if (address === undefined || isUnlimited(limits)) return UNHELD;
    const name = addressBlock(address);
    const whose = `the address ${name}`;
    const { concurrency } = limits;
    return {
      name: `address:${name}`,
      whose,
      concurrency,
      buckets: bucketsOf('address', name, whose, limits),
    };
  }

  #targetBuckets(model: string, experiment: string): readonly Bucket[] {
    const key = `${experiment} ${model}`;
    const known = this.#ofTarget.get(key);
    if (known !== undefined) return known;
    const { models, experiments } = this.#config;
    const ofModel = models.get(model);
    const ofExperiment = experiments.get(experiment);
    const made: Bucket[] = [];
    if (ofModel !== undefined) made.push(targetBucket('model', model, ofModel));
    if (ofExperiment !== undefined) made.push(targetBucket('experiment', experiment, ofExperiment));
    this.#ofTarget.set(key, made);
    return made;
  }
}

const NONE: readonly Bucket[] = [];

const UNHELD: CallerBuckets = { name: '', whose: '', concurrency: undefined, buckets: NONE };

function isUnlimited({ rate, concurrency, daily }: CallerLimits): boolean {
  return rate === undefined && concurrency === undefined && daily === undefined;
}

function targetBucket(kind: 'model' | 'experiment', name: string, rate: Rate): Bucket {
  return {
    period: 'rate',
    kind,
    name: `${kind}:${shortName(name)}`,
    whose: `callers of ${kind} ${name}`,
    rate,
  };
}

function nameOf({ period, name }: Bucket): string {
  return `${period}:${name}`;
}

/** What is safe as a part of a Redis key: the subject of a token may be any text. */
function shortName(id: string): string {
  const escaped = encodeURIComponent(id.toWellFormed());
  return escaped.length <= MAX_NAME ? escaped : `sha256-${hash('sha256', id, 'base64url')}`;
}
