import { expect, test } from 'vitest';
import { ReadFamily } from '../../../../gateway/telemetry/exposition/read-family.ts';

test('what is read has the values of the moment it is written', () => {
  let depth = 1;
  const family = ReadFamily.gauge('depth', 'Depth.', () => [[{ model: 'a"b' }, depth]]);
  expect(family.write('text')).toBe('# HELP depth Depth.\n# TYPE depth gauge\ndepth{model="a\\"b"} 1\n');
  depth = Infinity;
  expect(family.write('openmetrics')).toContain('depth{model="a\\"b"} +Inf\n');
});

test('a counter whose name lacks the suffix is of an unknown type in OpenMetrics, which has no such counters', () => {
  const family = ReadFamily.counter('nv_inference_count', 'Inferences', () => [[{}, 3]]);
  expect(family.write('text')).toContain('# TYPE nv_inference_count counter\n');
  expect(family.write('openmetrics')).toBe(
    '# HELP nv_inference_count Inferences\n# TYPE nv_inference_count unknown\nnv_inference_count 3\n',
  );
});
