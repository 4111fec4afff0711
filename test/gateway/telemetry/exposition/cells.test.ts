import { expect, test } from 'vitest';
import { CellFamilies, CellFamily } from '../../../../gateway/telemetry/exposition/cells.ts';

test('a counter is written with its labels, escaped as the format says', () => {
  const family = CellFamily.counter('calls_total', 'Calls.');
  family.cell({ model: 'a"b\\c\nd', reason: '' }).add(2);
  family.cell({}).add(1.5);
  expect(family.write('text')).toBe(
    '# HELP calls_total Calls.\n# TYPE calls_total counter\n' +
      'calls_total{model="a\\"b\\\\c\\nd",reason=""} 2\n' +
      'calls_total 1.5\n',
  );
});

test('OpenMetrics names a counter without the suffix of its series', () => {
  const family = CellFamily.counter('calls_total', 'Calls.');
  family.cell({}).add(1);
  expect(family.write('openmetrics')).toBe('# HELP calls Calls.\n# TYPE calls counter\ncalls_total 1\n');
});

test('the same labels give the same series, in whatever order they are named', () => {
  const family = CellFamily.counter('calls_total', 'Calls.');
  family.cell({ a: '1', b: '2' }).add(1);
  family.cell({ b: '2', a: '1' }).add(1);
  expect(family.write('text')).toContain('calls_total{a="1",b="2"} 2\n');
});

test('labels whose values only look alike are two series', () => {
  const family = CellFamily.counter('calls_total', 'Calls.');
  family.cell({ a: '1",b="2', b: '' }).add(1);
  family.cell({ a: '1', b: '2' }).add(1);
  expect(family.write('text').match(/ 1$/gm)).toHaveLength(2);
});

test('a histogram counts what is at most each bound, and all of it', () => {
  const family = CellFamily.histogram('seconds', 'Time.', [0.1, 1]);
  const cell = family.cell({ model: 'm' });
  for (const value of [0.05, 0.1, 0.5, 3]) cell.observe(value);
  expect(family.write('text')).toBe(
    '# HELP seconds Time.\n# TYPE seconds histogram\n' +
      'seconds_bucket{model="m",le="0.1"} 2\n' +
      'seconds_bucket{model="m",le="1.0"} 3\n' +
      'seconds_bucket{model="m",le="+Inf"} 4\n' +
      'seconds_sum{model="m"} 3.65\n' +
      'seconds_count{model="m"} 4\n',
  );
});

test('each bucket shows the last traced observation, in OpenMetrics only', () => {
  const family = CellFamily.histogram('seconds', 'Time.', [0.1, 1]);
  const cell = family.cell({});
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  cell.observe(0.05, 'the one before');
  cell.observe(0.06, traceId);
  cell.observe(0.5);
  cell.observe(3, traceId);
  const lines = family.write('openmetrics').split('\n');
  const exemplar = (value: string): RegExp =>
    new RegExp(` # \\{trace_id="${traceId}"\\} ${value} [0-9]{10}(\\.[0-9]+)?$`);
  expect(lines[2]).toMatch(/^seconds_bucket\{le="0.1"\} 2 # /);
  expect(lines[2]).toMatch(exemplar('0.06'));
  expect(lines[3]).toBe('seconds_bucket{le="1.0"} 3');
  expect(lines[4]).toMatch(exemplar('3'));
  expect(family.write('text')).not.toContain('trace_id');
});

test('families that are made together are told together, in the order in which they were made', () => {
  const families = new CellFamilies();
  families.histogram('seconds', 'Time.', [1]).cell({}).observe(2);
  families.counter('calls_total', 'Calls.').cell({}).add(1);
  expect(families.all.map((family) => family.write('text').split('\n')[1])).toEqual([
    '# TYPE seconds histogram',
    '# TYPE calls_total counter',
  ]);
});
