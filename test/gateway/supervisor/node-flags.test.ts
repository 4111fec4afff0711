import { expect, test } from 'vitest';
import { nodeFlags } from '../../../gateway/supervisor/node-flags.ts';

const YOUNG_AT_FIRST = '--no-allocation-site-pretenuring';

test('on few cores V8 has a thread less than there are cores, and at least one; on more it has as many as Node gives it', () => {
  expect([1, 2, 3, 4, 5, 64].map((cores) => nodeFlags(cores, []))).toEqual([
    [YOUNG_AT_FIRST, '--v8-pool-size=1'],
    [YOUNG_AT_FIRST, '--v8-pool-size=1'],
    [YOUNG_AT_FIRST, '--v8-pool-size=2'],
    [YOUNG_AT_FIRST, '--v8-pool-size=3'],
    [YOUNG_AT_FIRST],
    [YOUNG_AT_FIRST],
  ]);
});

test('what is said of it among the flags, or in NODE_OPTIONS, is not overruled', () => {
  expect(nodeFlags(2, ['--enable-source-maps', '--v8-pool-size=4'])).toEqual([YOUNG_AT_FIRST]);
  expect(nodeFlags(2, ['--max-old-space-size=4096 --v8-pool-size 3'])).toEqual([YOUNG_AT_FIRST]);
  expect(nodeFlags(2, ['--allocation-site-pretenuring'])).toEqual(['--v8-pool-size=1']);
  expect(nodeFlags(2, ['--max-old-space-size=4096'])).toEqual([YOUNG_AT_FIRST, '--v8-pool-size=1']);
});
