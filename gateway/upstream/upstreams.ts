import { setTimeout as pause } from 'node:timers/promises';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import type { UpstreamDefinition, UpstreamProtocol } from '../../experiments/upstream-definition.ts';
import { isUpstream } from '../../experiments/variant.ts';
import type { UpstreamVariant } from '../../experiments/variant.ts';
import type { OnReadiness } from './health-check.ts';
import type { FailureKind } from './upstream-failure.ts';
import type { AnswerLimits } from './upstream-server.ts';
import { UpstreamVersion } from './upstream-version.ts';

/** Which variant something is told of; both names stand in the configuration. */
export interface VariantName {
  readonly experiment: string;
  readonly variant: string;
}

export interface UpstreamsOptions {
  readonly keepsCredentials: boolean;
  readonly answers: AnswerLimits;
  readonly events: {
    onTry(name: VariantName, result: FailureKind | 'ok'): void;
    onRetry(name: VariantName): void;
    onReadiness(name: VariantName, ...told: Parameters<OnReadiness>): void;
  };
}

interface Entry {
  readonly name: VariantName;
  readonly written: string;
  readonly version: UpstreamVersion;
  /** Resolves when it has been asked for the first time whether it is well. */
  readonly asked: Promise<void>;
}

/** The servers of all variants that live elsewhere: one for each, kept for as long as the files say the same of it. */
export class Upstreams {
  readonly #repository: Pick<ModelRepository, 'model'>;
  readonly #options: UpstreamsOptions;
  /** By experiment and variant. */
  #entries = new Map<string, Entry>();
  /** Those that experiments name which are not followed yet. */
  #coming = new Map<string, Entry>();
  #byDefinition = new WeakMap<UpstreamDefinition, UpstreamVersion>();
  /** By model: what the servers of its variants speak. */
  #protocols = new Map<string, Set<UpstreamProtocol>>();
  readonly #closing = new Set<Promise<void>>();

  constructor(repository: Pick<ModelRepository, 'model'>, options: UpstreamsOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  /** What answers for a variant; undefined where the files no longer name it. */
  of({ upstream }: UpstreamVariant): UpstreamVersion | undefined {
    return this.#byDefinition.get(upstream);
  }

  /** What copies of requests may go to: a server that is ready, and takes tensors. */
  shadowOf(variant: UpstreamVariant): UpstreamVersion | undefined {
    const version = this.of(variant);
    return version?.isReady === true && version.protocol === 'v2' ? version : undefined;
  }

  /** Who says what a model takes and gives that lives elsewhere: the server of one of its variants, by their names. */
  describing(model: string): UpstreamVersion | undefined {
    return this.ofModel(model).find(({ isReady, about }) => isReady && about.inputs.length > 0);
  }

  /** The servers of a model's variants, in the order of the files. */
  ofModel(model: string): readonly UpstreamVersion[] {
    return this.all()
      .map(({ version }) => version)
      .filter(({ about }) => about.model === model);
  }

  /** Whether a call of that model may be passed on to a server that speaks the protocol. */
  passOn(model: string, protocol: UpstreamProtocol): boolean {
    return this.#protocols.get(model)?.has(protocol) === true;
  }

  /** Each with the names that its metrics have. */
  all(): readonly { readonly name: VariantName; readonly version: UpstreamVersion }[] {
    return [...this.#entries.values()];
  }

  /**
   * Asks the servers that are new in experiments whether they are well, before these are followed: until that is known nobody could be sent there.
   *
   * @param withinMs resolves after that at the latest, whatever is known by then
   */
  async prepare(experiments: ExperimentSet, withinMs: number): Promise<void> {
    const { entries } = this.#serversOf(experiments);
    const fresh = [...entries].filter(([id, entry]) => this.#entries.get(id) !== entry);
    this.#replaceComing(new Map(fresh));
    if (fresh.length === 0) return;
    const over = new AbortController();
    const { signal } = over;
    await Promise.race([
      Promise.all(fresh.map(([, { asked }]) => asked)),
      pause(withinMs, undefined, { signal, ref: false }),
    ]);
    over.abort();
  }

  /**
   * Brings the servers up to what the experiments say. What an edit doesn't touch keeps its connections, its breaker and what
   * is known of its health; what is gone answers its last requests.
   *
   * @returns resolves when the new ones have been asked whether they are well
   */
  async follow(experiments: ExperimentSet): Promise<void> {
    const { entries, protocols } = this.#serversOf(experiments);
    const before = new Set(this.#entries.values());
    const now = new Set(entries.values());
    this.#entries = entries;
    this.#protocols = protocols;
    this.#replaceComing(new Map());
    for (const { version } of before.difference(now)) this.#retire(version);
    await Promise.all([...now.difference(before)].map(({ asked }) => asked));
  }

  async close(): Promise<void> {
    for (const { version } of this.#entries.values()) this.#retire(version);
    this.#entries = new Map();
    this.#replaceComing(new Map());
    await Promise.all(this.#closing);
  }

  /** A server for each variant: the one that there is, or that is coming, where the same is written of it. */
  #serversOf(experiments: ExperimentSet): {
    readonly entries: Map<string, Entry>;
    readonly protocols: Map<string, Set<UpstreamProtocol>>;
  } {
    const entries = new Map<string, Entry>();
    const protocols = new Map<string, Set<UpstreamProtocol>>();
    for (const { key, model, variants } of experiments.byKey.values()) {
      for (const variant of variants.filter(isUpstream)) {
        const id = `${key}=${variant.name}`;
        const written = JSON.stringify([model, variant.upstream]);
        const known = [this.#entries.get(id), this.#coming.get(id)].find(
          (entry) => entry?.written === written,
        );
        const entry =
          known ?? this.#open({ experiment: key, variant: variant.name }, written, model, variant);
        entries.set(id, entry);
        this.#byDefinition.set(variant.upstream, entry.version);
        protocols.set(model, (protocols.get(model) ?? new Set()).add(variant.upstream.protocol));
      }
    }
    return { entries, protocols };
  }

  /** What was coming and is neither in force by now nor coming still is not needed any more. */
  #replaceComing(coming: Map<string, Entry>): void {
    const needed = new Set([...this.#entries.values(), ...coming.values()]);
    for (const entry of this.#coming.values()) if (!needed.has(entry)) this.#retire(entry.version);
    this.#coming = coming;
  }

  #open(name: VariantName, written: string, model: string, { upstream }: UpstreamVariant): Entry {
    const { keepsCredentials, answers, events } = this.#options;
    const version = new UpstreamVersion({
      model,
      definition: upstream,
      keepsCredentials,
      answers,
      local: () => this.#repository.model(model)?.highestReady?.about,
      events: {
        onTry: (result) => {
          events.onTry(name, result);
        },
        onRetry: () => {
          events.onRetry(name);
        },
        onReadiness: (...told) => {
          events.onReadiness(name, ...told);
        },
      },
    });
    return { name, written, version, asked: version.start() };
  }

  #retire(version: UpstreamVersion): void {
    const closed = version.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
