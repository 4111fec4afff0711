import { expect, test } from 'vitest';
import { intervalPlot } from '../../../gateway/cli/interval-plot.ts';

test('intervals are drawn over one axis, with zero in the same column', () => {
  const lines = intervalPlot([
    { label: 'correct v2', estimate: 0.05, interval: [0.02, 0.08] },
    { label: 'p99 v2', estimate: -0.01, interval: [-0.1, 0.08] },
  ]);
  expect(lines).toHaveLength(3);
  const [better = '', open = '', axis = ''] = lines;
  expect(better).toMatch(/^correct v2 +│ +├─+●─+┤$/);
  expect(open).toMatch(/^p99 v2 {6}.*├─+●─*┼─+┤$/);
  expect(better.indexOf('│')).toBe(open.indexOf('┼'));
  expect(axis.indexOf('0', axis.indexOf('%'))).toBe(better.indexOf('│'));
  expect(axis).toMatch(/-10\.5 % +0 +\+10\.5 %$/);
});

test('an end that nothing limits, or that lies outside, is an arrow', () => {
  const [open, wild] = intervalPlot([
    { label: 'a', estimate: 0.1, interval: [-0.2, null] },
    { label: 'b', estimate: null, interval: [-40, 30] },
  ]);
  expect(open).toMatch(/├─*┼─*●─*▸$/);
  expect(wild).toMatch(/^b {2}◂─+┼─+▸$/);
});

test('what has too few units says so, and nothing at all is no plot', () => {
  expect(intervalPlot([{ label: 'a', estimate: 0.1, interval: null }])).toEqual([]);
  const [first] = intervalPlot([
    { label: 'a', estimate: 0.1, interval: null },
    { label: 'b', estimate: 0, interval: [-1, 1] },
  ]);
  expect(first).toBe('a  too few units');
});
