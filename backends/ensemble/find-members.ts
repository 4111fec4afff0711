import type { ModelConfig } from '../repository/model-config.ts';
import type { ServedModel } from '../repository/served-model.ts';
import type { MemberLookup, WishedEnsemble } from './bind-ensemble.ts';
import { allStepsOf } from './ensemble-config.ts';
import type { EnsembleConfig, EnsembleStep } from './ensemble-config.ts';

/** What is known of the models that an ensemble may name. */
export interface KnownModels {
  /** A model that is served, or being loaded. */
  served(name: string): ServedModel | undefined;
  /** The names of all models that the repositories have. */
  names(): readonly string[];
  /** A model's configuration, as its files say; undefined where there is none, or it is refused. */
  config(name: string): ModelConfig | undefined;
}

/** Finds the version that a step asks for: the one it names, or the highest that is ready. */
export function findMember(models: KnownModels, step: EnsembleStep): MemberLookup {
  const model = models.served(step.model);
  const { version: wanted } = step;
  if (model === undefined) {
    const names = models.names();
    const message = names.includes(step.model)
      ? `is "${step.model}", which is not loaded`
      : `is "${step.model}", which no repository has; there are: ${names.join(', ')}`;
    return { kind: 'missing', key: 'model_name', message };
  }
  const member = wanted === undefined ? model.highestReady : model.version(wanted);
  if (member !== undefined) return { kind: 'ready', member };
  if (wanted !== undefined && !model.versions.includes(wanted)) {
    const there = model.versions.join(', ') || 'none';
    const message = `is ${wanted}, but model "${step.model}" has no such version; it has: ${there}`;
    return { kind: 'missing', key: 'model_version', message };
  }
  const awaited = wanted === undefined ? model.versions : [wanted];
  if (awaited.some((version) => model.isAwaited(version))) return { kind: 'loading' };
  const reasons = model
    .index()
    .filter(({ version }) => wanted === undefined || version === wanted)
    .map(({ version, reason }) => `version ${version}: ${reason}`);
  const message = `is "${step.model}", which is not ready (${reasons.join('; ') || 'it has no version'})`;
  return { kind: 'missing', key: 'model_name', message };
}

/** Steps that lead from an ensemble back to it, as `a -> b -> a`; undefined where none do. */
export function circleFrom(
  { config }: Pick<KnownModels, 'config'>,
  { model, ensemble }: Pick<WishedEnsemble, 'model' | 'ensemble'>,
): string | undefined {
  const visited = new Set<string>();
  const visit = ({ steps }: EnsembleConfig, way: readonly string[]): string | undefined => {
    for (const { model: next } of steps) {
      if (next === model) return [...way, next].join(' -> ');
      if (visited.has(next)) continue;
      visited.add(next);
      for (const inner of allStepsOf(config(next)?.backend)) {
        const found = visit(inner, [...way, next]);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return visit(ensemble, [model]);
}

export function circleMessage(circle: string): string {
  return `lead in a circle: ${circle}; an ensemble can't be a step of itself`;
}

/** The models that an ensemble needs, and those that they need, members before the ensembles over them. */
export function membersOf({ config }: Pick<KnownModels, 'config'>, model: string): readonly string[] {
  const found = new Set<string>();
  const visit = (name: string, way: ReadonlySet<string>): void => {
    if (way.has(name)) return;
    for (const { model: next } of allStepsOf(config(name)?.backend).flatMap(({ steps }) => steps)) {
      visit(next, new Set([...way, name]));
      if (next !== model) found.add(next);
    }
  };
  visit(model, new Set());
  return [...found];
}
