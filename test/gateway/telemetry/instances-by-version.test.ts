import { expect, test } from 'vitest';
import { instancesByVersion } from '../../../gateway/telemetry/instances-by-version.ts';

const of = (version: number, ready: number, hung: number, wanted: number) => ({
  about: { model: 'm', version },
  instances: { ready, hung, wanted },
});
const without = { about: { model: 'ensemble', version: 1 }, instances: undefined };

test('instances that hang are counted until their run ends, also of versions that serve no more', () => {
  const counted = instancesByVersion(
    [of(1, 1, 1, 2), of(3, 1, 0, 1), without],
    [of(1, 1, 1, 2), of(2, 1, 1, 2), without],
  );
  expect(counted).toEqual([
    { model: 'm', version: 1, ready: 1, hung: 2, wanted: 3 },
    { model: 'm', version: 3, ready: 1, hung: 0, wanted: 1 },
    { model: 'm', version: 2, ready: 0, hung: 1, wanted: 1 },
  ]);
});

test('a version that leaves without a hang is not counted any more', () => {
  expect(instancesByVersion([], [of(1, 2, 0, 2)])).toEqual([]);
});
