import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { MainThreadLoad } from './main-thread-load.ts';
import type { MirrorRecorder } from './mirror-recorder.ts';
import { Mirrors } from './mirrors.ts';

export interface MirrorParts {
  readonly config: Pick<Config, 'timeouts'>;
  readonly repository: ModelRepository;
  readonly upstreams: Pick<Upstreams, 'shadowOf'>;
  readonly state: { readonly mirrors: MirrorRecorder };
  readonly metrics: Metrics;
}

/** The shadows, wherever they live, copied to while the main thread has time to spare. */
export function openMirrors({ config, repository, upstreams, state, metrics }: MirrorParts): Mirrors {
  const load = new MainThreadLoad();
  return new Mirrors({
    version: (model, variant) =>
      variant.upstream === undefined
        ? repository.model(model)?.version(variant.version)
        : upstreams.shadowOf(variant),
    recorder: state.mirrors,
    metrics,
    isBusy: () => load.isBusy,
    random: Math.random,
    timeoutMs: config.timeouts.inferenceMs,
  });
}
