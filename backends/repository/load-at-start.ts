import { membersOf } from '../ensemble/find-members.ts';
import type { ScaledVersion } from './handover.ts';
import type { ModelLook } from './look.ts';
import type { RepositoryModels } from './repository-models.ts';

/**
 * Loads what the control says, or what a process that died served.
 *
 * @throws Error when a repository's folder can't be read; a model that can't be loaded only fails itself
 */
export async function loadAtStart(models: RepositoryModels): Promise<void> {
  const { options, requested, known } = models;
  const { control, load, handover } = options;
  const isExplicit = control === 'explicit';
  if (isExplicit)
    handover?.loads.forEach((before) => {
      requested.ask(before);
    });
  const look = await models.look();
  if (!isExplicit || handover === undefined) {
    const isAll = !isExplicit || load.includes('*');
    const asked = new Set(isAll ? look.models.keys() : load);
    const members = isAll ? [] : [...asked].flatMap((name) => membersOf(known, name));
    const along = new Set(members).difference(asked);
    for (const model of [...along, ...asked])
      requested.ask({ model, config: undefined, isAlong: along.has(model) });
  }
  const threads = models.threads();
  await Promise.all(requested.names.map((name) => loadOne(models, name, look.models.get(name), threads)));
  await Promise.all(handover?.scaled.map((scaled) => scaleAgain(models, scaled)) ?? []);
}

async function loadOne(
  models: RepositoryModels,
  name: string,
  seen: ModelLook | undefined,
  threads: number,
): Promise<void> {
  const { options, requested, notices, turns } = models;
  if (seen === undefined) {
    requested.forget(name);
    const by =
      options.handover === undefined ? 'models.load names it' : 'it was loaded before the server died';
    notices.folder(name, `${by}, but no repository has a model of that name`);
    return;
  }
  await turns.take(name, async () => {
    await models.bringUp(name, seen, threads);
  });
  // What is configured is tried again by whoever takes over, whatever came of it here.
  requested.stands(name);
}

async function scaleAgain(
  models: RepositoryModels,
  { model, version, digest, instances }: ScaledVersion,
): Promise<void> {
  const found = models.served.get(model)?.version(version);
  if (found?.about.digest !== digest) return;
  await models.scale(found, instances).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    models.options.events.onUnscaled?.(model, version, instances, reason);
  });
}
