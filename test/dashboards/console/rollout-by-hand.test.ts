import { expect, test } from 'vitest';
import type { ExperimentShape } from '../../../dashboards/console/source/shapes.ts';
import { trackByHand } from '../../../dashboards/console/source/words/rollout-by-hand.ts';

const variant = (name: string, share: number): ExperimentShape['variants'][number] => ({
  name,
  version: 1,
  weight: 0,
  share,
});

test.each([
  [[variant('v1', 0.9), variant('v2', 0.1)], 'v2 gets 10.0 %'],
  [[variant('v1', 0.5), variant('v2', 0.3), variant('v3', 0.2)], 'v2 and v3 get 50.0 %'],
])('who gets what is a sentence, of one variant and of several', (variants, headline) => {
  const experiment: ExperimentShape = {
    key: 'a',
    model: 'digits',
    status: 'running',
    phase: 1,
    coverage: 1,
    control: 'v1',
    variants,
    metrics: [],
    wished: { status: 'running', weights: {} },
    standing: null,
  };
  expect(trackByHand(experiment).headline).toBe(headline);
});
