import { expect, test } from 'vitest';
import { LEAST, load, refusalsOf } from './config-text.ts';

test.each([
  ['1B', 1],
  ['512KiB', 524_288],
  ['64MiB', 67_108_864],
  ['2GiB', 2_147_483_648],
])('a size of %s is %d bytes', async (size, bytes) => {
  expect((await load(`${LEAST}server: { bodyLimit: ${size} }\n`)).server.bodyLimitBytes).toBe(bytes);
});

test.each(['64', '64MB', '64 MiB', '-1MiB', '1.5GiB', 'MiB'])('a size of %s is refused', async (size) => {
  expect(await refusalsOf(`${LEAST}server: { bodyLimit: "${size}" }\n`)).toEqual([
    `signalbox.yaml:3:22: server.bodyLimit: is "${size}"; expected a size as 512KiB or 64MiB`,
  ]);
});

test.each([
  ['1ms', 1],
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['1h', 3_600_000],
])('a duration of %s is %d milliseconds', async (duration, milliseconds) => {
  const { timeouts } = await load(`${LEAST}timeouts: { inference: ${duration} }\n`);
  expect(timeouts.inferenceMs).toBe(milliseconds);
  // A run may take as long as an answer, unless it is said.
  expect(timeouts.runMs).toBe(milliseconds);
});

test.each(['30', '30 s', '-1s', '1e3s', '1d', 's', 'Infinity', '.5s'])(
  'a duration of %s is refused',
  async (duration) => {
    expect(await refusalsOf(`${LEAST}timeouts: { inference: "${duration}" }\n`)).toEqual([
      `signalbox.yaml:3:24: timeouts.inference: is "${duration}"; expected a duration as 500ms, 30s, 5m or 1h`,
    ]);
  },
);

test('a body limit of nothing is refused, which the server would not start with', async () => {
  const [first = ''] = await refusalsOf(`${LEAST}server: { bodyLimit: 0B }\n`);
  expect(first).toMatch(/^signalbox\.yaml:3:22: server\.bodyLimit: /);
});

test.each([
  ['that is no whole number of milliseconds, which the server needs,', '0.5ms'],
  ['that is longer than the 24.8 days that a timer can wait', '600h'],
])('a duration %s is refused at its line and column', async (_, duration) => {
  expect(await refusalsOf(`${LEAST}timeouts: { request: ${duration} }\n`)).toEqual([
    expect.stringMatching(/^signalbox\.yaml:3:22: timeouts\.request: /),
  ]);
});
