import type { Experiment } from '../../experiments/definition.ts';
import { countedMetrics } from '../../experiments/counted-metric.ts';
import { analyseRollout, checksAt } from '../../experiments/rollouts/analyse-rollout.ts';
import type { QueryAnswer, WebhookAnswer } from '../../experiments/rollouts/check-findings.ts';
import type { Judgement } from '../../experiments/rollouts/judgement.ts';
import type { MirrorEvidence } from '../../experiments/rollouts/mirror-findings.ts';
import type { QueryCheck, RolloutPlan, WebhookCheck } from '../../experiments/rollouts/plan.ts';
import { targetOf } from '../../experiments/rollouts/rollout-step.ts';
import { trafficOf } from '../../experiments/rollouts/state.ts';
import type { RolloutRecord } from '../../experiments/rollouts/state.ts';
import type { ExperimentData } from '../../experiments/stores/state-store.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import { queryNames } from './analysis-checks.ts';
import type { QueryNames } from './analysis-checks.ts';

export interface RolloutJudgeOptions {
  readonly experiments: Pick<StandingBook, 'current'>;
  readonly counts: Pick<ExperimentData, 'tallies'>;
  /** What this process has seen until now is in the store afterwards. */
  readonly flushExposures: () => Promise<void>;
  readonly askPrometheus: (check: QueryCheck, names: QueryNames, signal: AbortSignal) => Promise<QueryAnswer>;
  readonly askWebhook: (check: WebhookCheck, rollout: object, signal: AbortSignal) => Promise<WebhookAnswer>;
  /** What the copies of requests that a variant got have shown; undefined: none were compared. */
  readonly mirrorEvidence: (experiment: Experiment, variant: string) => Promise<MirrorEvidence | undefined>;
  /** Milliseconds since 1970, the same on all replicas. */
  readonly nowMs: () => number;
}

/** Gathers what the analysis of a rollout looks at: what was counted, what mirrored copies showed, and what others answer. */
export class RolloutJudge {
  readonly #options: RolloutJudgeOptions;

  constructor(options: RolloutJudgeOptions) {
    this.#options = options;
  }

  /**
   * @param experiment as its file says; it is judged as it is in force
   * @param signal ends what others are asked
   * @throws StoreUnavailable
   */
  async judge(
    experiment: Experiment,
    plan: RolloutPlan,
    { state }: RolloutRecord,
    signal: AbortSignal,
  ): Promise<Judgement> {
    const { experiments, counts, flushExposures, askPrometheus, askWebhook, mirrorEvidence } = this.#options;
    const inForce = experiments.current.byKey.get(experiment.key) ?? experiment;
    const { queries, webhooks, mirror } = checksAt(plan, state);
    const { key, phase, metrics } = inForce;
    const names = queryNames(inForce, plan);
    const { weight, mirror: mirrored } = trafficOf(plan, state);
    const { version } = targetOf(inForce, plan);
    const told = { experiment: key, phase, variant: plan.variant, version, state, weight, mirrored };
    const [copies, answers, said] = await Promise.all([
      mirror === undefined ? undefined : mirrorEvidence(inForce, plan.variant),
      Promise.all(queries.map(async (check) => [check, await askPrometheus(check, names, signal)] as const)),
      Promise.all(webhooks.map(async (check) => [check, await askWebhook(check, told, signal)] as const)),
    ]);
    await flushExposures();
    const nowMs = this.#options.nowMs();
    const tallies = await counts.tallies(key, phase, countedMetrics(metrics), nowMs);
    const evidence = { tallies, mirror: copies, queries: answers, webhooks: said };
    return analyseRollout(inForce, plan, state, evidence, nowMs);
  }
}
