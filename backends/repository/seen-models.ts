import { NOTHING_SEEN, lookAt } from './look.ts';
import type { Look, ModelLook } from './look.ts';
import type { ModelConfig } from './model-config.ts';
import type { ConfigOverride } from './model-settings.ts';
import { RepositoryScanner } from './repository-scanner.ts';

/** The configuration that holds in place of a model's own file; undefined: its file holds. */
export type OverrideOf = (model: string) => ConfigOverride | undefined;

/** The models that the repositories' folders hold, as the last look saw them. */
export class SeenModels {
  readonly #scanner: RepositoryScanner;
  #last: Look = NOTHING_SEEN;

  constructor(roots: readonly string[]) {
    this.#scanner = new RepositoryScanner(roots);
  }

  get last(): Look {
    return this.#last;
  }

  get names(): readonly string[] {
    return [...this.#last.models.keys()];
  }

  get all(): readonly ModelLook[] {
    return [...this.#last.models.values()];
  }

  get(name: string): ModelLook | undefined {
    return this.#last.models.get(name);
  }

  /** A model's configuration; undefined where no repository has the model, or its configuration is refused. */
  config(name: string): ModelConfig | undefined {
    const settings = this.get(name)?.settings;
    return settings?.kind === 'read' ? settings.config : undefined;
  }

  /**
   * Looks at the folders. What it sees is not the last look until somebody takes it.
   *
   * @throws Error when a repository's folder can't be read
   */
  async look(overrideOf: OverrideOf): Promise<Look> {
    return lookAt(await this.#scanner.scan(), overrideOf, this.#last);
  }

  take(look: Look): void {
    this.#last = look;
  }

  /** Takes of a look that was made for one model that model alone: what it saw of the others that were seen before has yet to hold still. */
  takeOne(name: string, seen: ModelLook, look: Look): void {
    this.#last = { ...this.#last, models: new Map([...look.models, ...this.#last.models]).set(name, seen) };
  }

  /** Changes whenever a file of a version's folder does. */
  fingerprintOf(directory: string): Promise<string> {
    return this.#scanner.fingerprintOf(directory);
  }

  close(): Promise<void> {
    return this.#scanner.close();
  }
}
