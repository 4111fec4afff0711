import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { Config } from '../config/config.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { MainThreadLoad } from './main-thread-load.ts';
import type { MirrorRecorder } from './mirror-recorder.ts';
import { Mirrors } from './mirrors.ts';

export interface MirrorParts {
  readonly config: Pick<Config, 'timeouts'>;
  readonly experiments: Pick<StandingBook, 'current'>;
  readonly repository: ModelRepository;
  readonly upstreams: Pick<Upstreams, 'shadowOf'>;
  readonly state: { readonly mirrors: MirrorRecorder };
  readonly metrics: Metrics;
}

/** The shadows, wherever they live, copied to while the main thread has time to spare. */
export function openMirrors(parts: MirrorParts): Mirrors {
  const { config, experiments, repository, upstreams, state, metrics } = parts;
  const load = new MainThreadLoad();
  metrics.watch({
    shadows: () =>
      [...experiments.current.byKey.values()]
        .filter(({ status }) => status === 'running')
        .flatMap(({ key, mirrors }) =>
          mirrors.map(({ variant }) => ({ experiment: key, variant: variant.name })),
        ),
  });
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
