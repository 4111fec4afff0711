import { expect, test } from 'vitest';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';

/** Each takes JavaScript's own engine longer than anybody waits, on the value beside it. */
const EVIL: readonly (readonly [pattern: string, value: string])[] = [
  ['(a+)+$', `${'a'.repeat(200)}!`],
  ['([a-zA-Z]+)*$', `${'a'.repeat(200)}!`],
  ['(a|aa)+$', `${'a'.repeat(200)}!`],
  ['(.*a){20}$', `${'a'.repeat(200)}!`],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(200)],
];

test('no pattern of an experiment takes long, whatever a caller sends', async () => {
  await using gateway = await startGateway({
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/a.yaml': experimentFile({
        model: 'simple',
        match: EVIL.map(([regex], index) => ({ headers: { [`x-team-${index}`]: { regex } } })),
      }),
    },
  });
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
  const answers = await Promise.all(
    EVIL.flatMap(([, value], index) =>
      [value, value.repeat(50)].map(async (sent) => {
        const response = await fetch(gateway.url('/v2/models/simple/infer'), {
          method: 'POST',
          body,
          headers: { [`x-team-${index}`]: sent },
        });
        return [response.status, response.headers.get('x-experiment-reason')];
      }),
    ),
  );
  expect(answers).toEqual(Array(2 * EVIL.length).fill([200, 'default']));
});
