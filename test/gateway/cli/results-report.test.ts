import { expect, test } from 'vitest';
import type { PublishedResults } from '../../../experiments/results/experiment-results.ts';
import { healthLines } from '../../../gateway/cli/results-report.ts';

const HEALTH: PublishedResults['health'] = {
  srm: { p: 1, ok: true, chiSquareP: 1, variants: [], causes: {} },
  units: { least: 1000, ok: true },
  outcomes: { share: 1, p: 1, ok: true },
  overrides: { share: 0, ok: true },
  models: { ok: true, changed: [], variants: {} },
  clientErrors: { p: 1, ok: true, worse: [], shares: { v1: 0.001, v2: 0.001 } },
  signatures: { ok: true, misfits: [] },
};

test('a healthy experiment takes one line', () => {
  expect(healthLines({ health: HEALTH })).toEqual([
    'sample ratio ok (p 1.0), outcomes ok (100.0 % of the units), overrides ok (0.0 % of the requests), client errors ok (v1 0.1 %, v2 0.1 %)',
  ]);
});

test('which variant turns callers away, and by how much more, is said, and what differs between the variants’ models', () => {
  const lines = healthLines({
    health: {
      ...HEALTH,
      clientErrors: { p: 1e-9, ok: false, worse: ['v2'], shares: { v1: 0.001, v2: 0.44 } },
      signatures: {
        ok: false,
        misfits: [{ variant: 'v2', message: 'v2 takes x FP32 [-1, 5], and not x FP32 [-1, 4], as v1 does' }],
      },
    },
  });
  expect(lines[0]).toContain('client errors NOT OK (v1 0.1 %, v2 44.0 %)');
  expect(lines.slice(1)).toEqual([
    'v2 turns 44.0 % of its units away as mistaken, and v1 0.1 % (p 1.0e-9): it takes other requests',
    'v2 takes x FP32 [-1, 5], and not x FP32 [-1, 4], as v1 does',
  ]);
});
