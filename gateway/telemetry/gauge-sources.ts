import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { drivenRollout } from '../../experiments/rollouts/rollout-step.ts';
import { isTakenBackByItself } from '../../experiments/rollouts/state.ts';
import { sharesOf } from '../../experiments/shares.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import { STATE_NUMBERS } from '../rollouts/state-number.ts';
import type { GpuWatch } from './gpu-usage.ts';
import { instancesByVersion } from './instances-by-version.ts';
import type { GaugeSources } from './measures/gauges.ts';
import type { TritonSources } from './measures/triton-metrics.ts';

/** What the gauges read at each scrape. */
export function gaugeSources(
  repository: ModelRepository,
  experiments: () => ExperimentSet,
  situations: () => readonly Situation[],
  gpus: GpuWatch,
): GaugeSources & TritonSources {
  const ready = () => repository.models.flatMap((model) => model.ready);
  const candidates = () => [...experiments().byModel.values()].flatMap((served) => served.candidates);
  return {
    queues: () =>
      ready().map(({ about: { model, version }, queued, longestWaitMs = 0 }) => ({
        model,
        version,
        queued,
        longestWaitMs,
      })),
    versions: ready,
    instances: () => instancesByVersion(ready(), repository.draining),
    experiments: () => experiments().byKey.keys(),
    weights: () =>
      candidates().flatMap((experiment) =>
        sharesOf(experiment).map((share) => ({ experiment: experiment.key, ...share })),
      ),
    gpus: () => gpus.usage,
    rolloutStates: () =>
      situations().flatMap((situation) => {
        const driven = drivenRollout(situation);
        if (driven === undefined) return [];
        const kind = driven.record?.state.kind ?? 'pending';
        return [{ experiment: situation.experiment.key, state: STATE_NUMBERS[kind] }];
      }),
    rollbacks: () =>
      situations().flatMap((situation) => {
        const state = drivenRollout(situation)?.record?.state;
        if (state === undefined || !isTakenBackByItself(state)) return [];
        return [{ experiment: situation.experiment.key, sinceMs: state.sinceMs }];
      }),
    recovered: () =>
      situations().map(({ experiment, standing: { isRecovered } }) => ({
        experiment: experiment.key,
        isRecovered,
      })),
    weightsVersions: () =>
      candidates().map(({ key, weightsVersion }) => ({ experiment: key, version: weightsVersion })),
  };
}
