import type { AnswerCache } from '../cache/cached-version.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import { ImagePool } from '../image/image-pool.ts';
import type { Servable } from '../servable.ts';
import { DrainingVersions } from './draining-versions.ts';
import { reasonOfNoVersion, settledAtOnce, wantedVersions } from './look.ts';
import type { ModelLook, Settled } from './look.ts';
import { ModelLoader } from './model-loader.ts';
import type { LoaderEvents, Machine } from './model-loader.ts';
import { ServedModel } from './served-model.ts';
import type { IndexEntry } from './served-model.ts';

export interface ServedModelsOptions {
  readonly machine?: Machine;
  /** Where answers are kept of models that ask for it; left out: nowhere. It is closed with the models. */
  readonly cache?: AnswerCache;
  /** Pixels (width x height) of an image that are decoded at the most; left out: 64 million. */
  readonly maxImagePixels?: number;
  /** Why a version that serves may not be unloaded now; undefined: it may. Left out: every one may. */
  readonly neededBy?: (model: string, version: number) => string | undefined;
  /** How long an unload waits for a model's last requests, in milliseconds; left out: 5 s. */
  readonly unloadWaitMs?: number;
  readonly events: ServedEvents;
}

export interface ServedEvents extends LoaderEvents {
  /** A version that is being unloaded, or was replaced, is not gone yet, and why. */
  onLingering(model: string, version: number, reason: string): void;
}

const DEFAULT_UNLOAD_WAIT_MS = 5000;

const DEFAULT_MAX_IMAGE_PIXELS = 64_000_000;

/** The models that are served, with what loads them and what decodes images for them, until the last request is answered. */
export class ServedModels {
  readonly images = new ImagePool();
  readonly #models = new Map<string, ServedModel>();
  readonly #draining: DrainingVersions;
  /** How long an unload waits for a model's last requests, in milliseconds. */
  readonly unloadWaitMs: number;
  readonly #loader: ModelLoader;
  readonly #cache: AnswerCache | undefined;

  /**
   * @param members where ensembles find their steps' models
   * @param fingerprintOf changes whenever a file of a version's folder does
   */
  constructor(
    options: ServedModelsOptions,
    members: KnownModels,
    fingerprintOf: (directory: string) => Promise<string>,
  ) {
    this.#cache = options.cache;
    const { events, unloadWaitMs = DEFAULT_UNLOAD_WAIT_MS } = options;
    this.unloadWaitMs = unloadWaitMs;
    this.#draining = new DrainingVersions({
      patienceMs: unloadWaitMs,
      onLingering: (model, version, reason) => {
        events.onLingering(model, version, reason);
      },
    });
    this.#loader = new ModelLoader({
      events,
      machine: options.machine ?? {},
      images: this.images,
      maxPixels: options.maxImagePixels ?? DEFAULT_MAX_IMAGE_PIXELS,
      retire: (version) => {
        this.#draining.retire(version);
      },
      members,
      fingerprintOf,
      cache: options.cache,
      neededBy: (model, version) => options.neededBy?.(model, version),
    });
  }

  get(name: string): ServedModel | undefined {
    return this.#models.get(name);
  }

  get names(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** By name. */
  get all(): readonly ServedModel[] {
    return [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What is served, and then what answers its last requests; a version may be both. */
  index(): readonly IndexEntry[] {
    return [...[...this.#models.values()].flatMap((model) => model.index()), ...this.#draining.index()];
  }

  /**
   * Brings a model, which may be new, up to what of its folder holds still.
   *
   * @returns whether there is nothing left to do while nobody changes the files
   */
  update(name: string, settled: Settled, threads: number): Promise<boolean> {
    return this.#loader.update(this.#modelOf(name), settled, threads);
  }

  /**
   * Brings a model up to all of a look, and tries again what has failed before.
   *
   * @returns the reasons of the versions that are wished and not served
   */
  async bringUp(name: string, seen: ModelLook, threads: number): Promise<readonly string[]> {
    const model = this.#modelOf(name);
    model.forgetFailures();
    await this.#loader.update(model, settledAtOnce(seen), threads);
    if (model.versions.length === 0) return [reasonOfNoVersion(seen)];
    // What the policy passes over may still be there, until what it wants instead is.
    const wanted = new Set(wantedVersions(seen));
    return model
      .index()
      .filter(({ version }) => wanted.has(version) && !model.isAsWished(version))
      .map(({ version, reason }) => `version ${version}: ${reason}`);
  }

  /** Lets go of a model that is not wished any more; what of it is needed still serves. */
  release(name: string): void {
    const model = this.#models.get(name);
    if (model === undefined) return;
    this.#loader.unload(model);
    if (model.versions.length === 0) this.#models.delete(name);
  }

  /** Takes a model away from the callers, and lets go of it. */
  remove(name: string): void {
    const model = this.#models.get(name);
    if (model === undefined) return;
    this.#models.delete(name);
    this.#loader.unload(model);
  }

  /** Versions that take no more requests, and answer their last ones. */
  get draining(): readonly Servable[] {
    return this.#draining.all;
  }

  /**
   * Resolves when the memory of what was served of a model and is not any more is free, or at a time: then it goes on, as the index says.
   *
   * @param untilMs of `performance.now()`
   */
  gone(name: string, untilMs: number): Promise<void> {
    return this.#draining.gone(name, untilMs);
  }

  #modelOf(name: string): ServedModel {
    const model = this.#models.get(name) ?? new ServedModel(name);
    this.#models.set(name, model);
    return model;
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    for (const model of this.#models.values()) {
      for (const version of model.takeAll()) this.#draining.retire(version);
    }
    await this.#draining.allGone();
    await this.images.close();
    this.#cache?.store.close();
  }
}
