import { isDeepStrictEqual } from 'node:util';
import type { Servable } from '../../backends/servable.ts';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { AuditedVersion, ModelChange, NewEvent } from './audit-event.ts';

/** What is written of a change beside the model, and what stood before and after. */
export type AskedChange = Pick<ModelChange, 'actor' | 'configDigest' | 'url'> & {
  readonly action: Exclude<ModelChange['action'], 'model.replace'>;
};

/** What stood before a change: the versions of each model. */
export type ModelsBefore = ReadonlyMap<string, readonly AuditedVersion[]>;

/** What calls, and files that are changed, do to models, written into the audit log with what stood before and after. */
export class ModelChanges {
  readonly #repository: ModelRepository;
  readonly #write: (event: NewEvent) => Promise<void>;

  readonly #replica: string;

  /** @param replica names this process */
  constructor(repository: ModelRepository, write: (event: NewEvent) => Promise<void>, replica: string) {
    this.#repository = repository;
    this.#write = write;
    this.#replica = replica;
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

  /** A version's files were changed under its number: nobody called, and what answers is another model since. Each replica has files of its own. */
  replaced(model: string, version: number, before: Servable, after: Servable): Promise<void> {
    const audited = ({ about, instances }: Servable): { readonly versions: readonly AuditedVersion[] } => ({
      versions: [{ version, state: 'READY', instances: instances?.wanted ?? null, digest: about.digest }],
    });
    return this.#write({
      kind: 'model',
      action: 'model.replace',
      actor: { kind: 'file', id: this.#replica, name: '', address: '' },
      model,
      before: audited(before),
      after: audited(after),
    });
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
