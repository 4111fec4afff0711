import { parseYaml } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { epochOf } from '../../experiments/epoch.ts';
import { advance } from '../../experiments/rollouts/machine/advance.ts';
import { beginRollout } from '../../experiments/rollouts/machine/begin.ts';
import { analyseRollout } from '../../experiments/rollouts/analyse-rollout.ts';
import { rolloutWeights } from '../../experiments/rollouts/split.ts';
import { isOver, trafficOf } from '../../experiments/rollouts/state.ts';
import type { Cause, RolloutState } from '../../experiments/rollouts/state.ts';
import { bucketOf, readHistogram } from '../../experiments/stores/histogram.ts';
import type { Bucket } from '../../experiments/stores/histogram.ts';
import type { MetricTally, Tallies, VariantTally } from '../../experiments/stores/tallies.ts';
import { normal } from '../simulations/random.ts';

/** How a version answers. */
export interface Behaviour {
  /** Of all requests, 0 to 1: turned away as mistaken. */
  readonly clientErrorRate: number;
  /** Of the requests that were not turned away, 0 to 1. */
  readonly errorRate: number;
  /** Of the requests that were answered, 0 to 1. */
  readonly correctRate: number;
  /** The median of a run, in milliseconds; runs are log-normal with a shape of 0.4. */
  readonly computeMs: number;
}

export const HEALTHY: Behaviour = {
  clientErrorRate: 0.02,
  errorRate: 0.01,
  correctRate: 0.9,
  computeMs: 8,
};

/** Requests of one batch share their compute time, and are one observation of it. */
const BATCH_ROWS = 8;

const LATENCY_SHAPE = 0.4;

/** No rollout of these takes as long. */
const MOST_INTERVALS = 500;

/** Three guardrails, two of them by what is measured without outcomes, and an absolute threshold. */
const EXPERIMENT = `
key: simulated
model: simulated
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 100 }, { name: v2, version: 2, weight: 0 }]
metrics:
  - { name: errors, kind: proportion, source: error_rate, role: guardrail }
  - { name: p99, kind: quantile, quantile: 0.99, source: compute, role: guardrail }
  - { name: correct, kind: proportion, role: guardrail }
guardrails:
  - { metric: errors, maximum: 0.05 }
rollout: { preset: canary, interval: 1m, minUnits: 500 }
`;

export interface SimulatedRollout {
  readonly state: RolloutState;
  readonly cause: Cause;
  readonly intervals: number;
  /** Of all units that came until it was over, the share that got the variant. */
  readonly share: number;
}

/**
 * One rollout, from its first unit to its end, by the product's own plan, analysis and state machine.
 *
 * @param units new ones in each interval
 */
export function simulateRollout(random: () => number, variant: Behaviour, units: number): SimulatedRollout {
  const { experiment, plan } = simulated();
  const arms = new Map<number, { readonly inForce: Experiment; readonly v1: Arm; readonly v2: Arm }>();
  const armsAt = (weight: number) => {
    let found = arms.get(weight);
    if (found === undefined) {
      const weights = rolloutWeights(experiment.variants, plan, weight);
      const variants = experiment.variants.map((each) => ({ ...each, weight: weights[each.name] ?? 0 }));
      const control = variants.find(({ name }) => name === 'v1') ?? experiment.control;
      found = { inForce: { ...experiment, variants, control }, v1: new Arm(), v2: new Arm() };
      arms.set(weight, found);
    }
    return found;
  };
  let state = beginRollout(0);
  let cause: Cause = { code: 'new_version', message: 'it begins' };
  let [intervals, all, met] = [0, 0, 0];
  const take = (event: Parameters<typeof advance>[2]): void => {
    const step = advance(plan, state, event, { nowMs: intervals * plan.intervalMs, isReady: true });
    if (step !== undefined) ({ state, cause } = step);
  };
  take({ kind: 'clock' });
  while (!isOver(state) && intervals < MOST_INTERVALS) {
    intervals += 1;
    const { weight } = trafficOf(plan, state);
    const { inForce, v1, v2 } = armsAt(weight);
    for (let unit = 0; unit < units; unit += 1) {
      const gets = 100 * random() < weight;
      (gets ? v2 : v1).add(random, gets ? variant : HEALTHY);
      all += 1;
      if (gets) met += 1;
    }
    const tallies: Tallies = {
      experiment: experiment.key,
      phase: 1,
      untested: {},
      epochs: [...arms.values()].map((each) => {
        const { epoch, ...split } = epochOf(each.inForce);
        return { epoch, split, variants: { v1: each.v1.tally(), v2: each.v2.tally() } };
      }),
    };
    const evidence = { tallies, mirror: undefined, queries: [], webhooks: [] };
    take({
      kind: 'analysed',
      judgement: analyseRollout(inForce, plan, state, evidence, intervals * plan.intervalMs),
    });
    take({ kind: 'in_force' });
  }
  return { state, cause, intervals, share: met / all };
}

let known: { readonly experiment: Experiment; readonly plan: NonNullable<Experiment['rollout']> } | undefined;

function simulated(): NonNullable<typeof known> {
  if (known !== undefined) return known;
  const experiment = readExperiment(parseYaml(EXPERIMENT, 'simulated.yaml'), undefined);
  if (experiment.rollout === undefined) throw new Error('the simulated experiment has a rollout');
  known = { experiment, plan: experiment.rollout };
  return known;
}

/** One variant at one weight. */
class Arm {
  #units = 0;
  #turnedAway = 0;
  #errors = 0;
  #correct = 0;
  #answered = 0;
  readonly #compute = new Map<Bucket, number>();
  #computed = 0;

  add(random: () => number, { clientErrorRate, errorRate, correctRate, computeMs }: Behaviour): void {
    this.#units += 1;
    if (random() < clientErrorRate) {
      this.#turnedAway += 1;
      return;
    }
    if (random() < errorRate) {
      this.#errors += 1;
      return;
    }
    this.#answered += 1;
    if (random() < correctRate) this.#correct += 1;
    if (this.#answered % BATCH_ROWS !== 0) return;
    const bucket = bucketOf(computeMs * Math.exp(LATENCY_SHAPE * normal(random)));
    this.#compute.set(bucket, (this.#compute.get(bucket) ?? 0) + 1);
    this.#computed += 1;
  }

  tally(): VariantTally {
    return {
      units: this.#units,
      requests: this.#units,
      unitsByDay: { '2026-11-25': this.#units },
      unitsByKey: {},
      models: {},
      switched: 0,
      unitlessRequests: 0,
      errors: this.#errors,
      uncounted: {},
      outputs: {},
      metrics: {
        client_error_rate: proportion(this.#units, this.#turnedAway),
        error_rate: proportion(this.#units - this.#turnedAway, this.#errors),
        correct: proportion(this.#answered, this.#correct),
        compute: { ...proportion(this.#computed, 0), histogram: readHistogram(this.#compute) },
      },
    };
  }
}

function proportion(units: number, successes: number): MetricTally {
  return {
    units,
    sumX: successes,
    sumX2: successes,
    sumX3: successes,
    sumY: units,
    sumY2: units,
    sumY3: 0,
    sumXY: successes,
    sumX2Y: 0,
    sumXY2: 0,
    histogram: readHistogram([]),
  };
}
