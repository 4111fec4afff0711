import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { Described } from '../../backends/signature-misfit.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { Upstreams } from '../upstream/upstreams.ts';

/** What a variant of a model takes and gives; undefined where it isn't loaded, or its server hasn't said. */
export type Describe = (model: string, variant: Variant) => Described | undefined;

/** As the versions that are loaded have it, and as servers elsewhere say. */
export function describing(
  repository: Pick<ModelRepository, 'model'>,
  upstreams: Pick<Upstreams, 'of'>,
): Describe {
  return (model, variant) =>
    variant.upstream === undefined
      ? repository.model(model)?.version(variant.version)?.about
      : upstreams.of(variant)?.about;
}
