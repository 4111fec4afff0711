import { allStepsOf } from '../ensemble/ensemble-config.ts';
import type { ModelLook } from './look.ts';
import { RepositoryError } from './repository-error.ts';

/**
 * Checks that a configuration that came with a load has only steps that whoever asks for it may use.
 *
 * @throws RepositoryError `forbidden`
 */
export function checkSteps({ settings }: ModelLook, mayUse: (model: string) => boolean): void {
  if (settings.kind === 'refused') return;
  const steps = allStepsOf(settings.config.backend).flatMap((ensemble) => ensemble.steps);
  const beyond = steps.find(({ model }) => !mayUse(model));
  if (beyond === undefined) return;
  throw new RepositoryError(
    'forbidden',
    `the configuration of the load has a step that is model '${beyond.model.slice(0, 64)}', which the caller is not for`,
  );
}
