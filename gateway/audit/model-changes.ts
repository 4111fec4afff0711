import { isDeepStrictEqual } from 'node:util';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { AuditedVersion, ModelChange, NewEvent } from './audit-event.ts';

/** What is written of a change beside the model, and what stood before and after. */
export type AskedChange = Pick<ModelChange, 'action' | 'actor' | 'configDigest' | 'url'>;

/** What stood before a change: the versions of each model. */
export type ModelsBefore = ReadonlyMap<string, readonly AuditedVersion[]>;

/** What calls do to models, written into the audit log with what stood before and after. */
export class ModelChanges {
  readonly #repository: ModelRepository;
  readonly #write: (event: NewEvent) => Promise<void>;

  constructor(repository: ModelRepository, write: (event: NewEvent) => Promise<void>) {
    this.#repository = repository;
    this.#write = write;
  }

  /** @returns what `change` does; what fails and has changed nothing is not written */
  async make<Result>(model: string, asked: AskedChange, change: () => Promise<Result>): Promise<Result> {
    const before = this.look();
    try {
      const result = await change();
      await this.enter(model, asked, before);
      return result;
    } catch (error) {
      const hasChanged = !isDeepStrictEqual(before.get(model), this.look().get(model));
      if (hasChanged)
        await this.enter(model, asked, before, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  look(): ModelsBefore {
    const models = new Map<string, AuditedVersion[]>();
    for (const { name, version, state } of this.#repository.index()) {
      const instances = this.#repository.model(name)?.version(version)?.instances?.wanted ?? null;
      models.set(name, [...(models.get(name) ?? []), { version, state, instances }]);
    }
    return models;
  }

  /** @param fault why it failed, where it did */
  enter(model: string, asked: AskedChange, before: ModelsBefore, fault?: string): Promise<void> {
    return this.#write({
      kind: 'model',
      ...asked,
      model,
      before: { versions: before.get(model) ?? [] },
      after: { versions: this.look().get(model) ?? [] },
      ...(fault !== undefined && { fault }),
    });
  }
}
