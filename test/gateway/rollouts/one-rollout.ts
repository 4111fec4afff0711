import { pino } from 'pino';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import type { RolloutPlan } from '../../../experiments/rollouts/plan.ts';
import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import type { DrivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { StandingBook } from '../../../gateway/standing/standing-book.ts';

export const LOG = pino({ level: 'silent' });

/** What is rolled out. */
export const VERSION_3 = { variant: 'v2', version: 3, phase: 1 };

const TEXT = `
key: classes
model: classes
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 100 }, { name: v2, version: 3, weight: 0 }]
metrics: [{ name: errors, kind: proportion, source: error_rate, role: guardrail }]
rollout:
  interval: 100ms
  analysis: { webhooks: [{ name: smoke, url: 'http://127.0.0.1:9/', timeout: 10m }] }
  steps: [{ setWeight: 10 }, { pause: {} }]
`;

/** An experiment that rolls version 3 out as v2, in a store of its own, and the book that has it. */
export interface OneRollout {
  readonly store: MemoryStore;
  readonly experiments: StandingBook;
  readonly experiment: Experiment;
  readonly plan: RolloutPlan;
  /** Where it stands now. */
  readonly driven: () => DrivenRollout;
  readonly weights: () => Readonly<Record<string, number>> | undefined;
}

export async function oneRollout(): Promise<OneRollout> {
  const experiment = readExperiment(parseYaml(TEXT, 'classes.yaml'), undefined);
  const { key, rollout: plan } = experiment;
  if (plan === undefined) throw new Error('the experiment has no rollout');
  const store = new MemoryStore();
  const experiments = await StandingBook.open({
    store,
    log: LOG,
    files: {
      written: [{ experiment, definition: '', digest: '' }],
      current: assembleExperiments([experiment]).set,
    },
  });
  return {
    store,
    experiments,
    experiment,
    plan,
    driven: () => {
      const situation = experiments.situation(key);
      const driven = situation && drivenRollout(situation);
      if (driven === undefined) throw new Error('the rollout is not driven');
      return driven;
    },
    weights: () => experiments.situation(key)?.standing.split.weights,
  };
}
