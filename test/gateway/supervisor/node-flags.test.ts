import { expect, test } from 'vitest';
import { nodeFlags } from '../../../gateway/supervisor/node-flags.ts';

const ALWAYS = ['--no-allocation-site-pretenuring', '--no-memory-reducer'];

test('on few cores V8 has a thread less than there are cores, and at least one; on more it has as many as Node gives it', () => {
  expect([1, 2, 3, 4, 5, 64].map((cores) => nodeFlags(cores, []))).toEqual([
    [...ALWAYS, '--v8-pool-size=1'],
    [...ALWAYS, '--v8-pool-size=1'],
    [...ALWAYS, '--v8-pool-size=2'],
    [...ALWAYS, '--v8-pool-size=3'],
    [...ALWAYS],
    [...ALWAYS],
  ]);
});

test('what is said of it among the flags, or in NODE_OPTIONS, is not overruled', () => {
  expect(nodeFlags(2, ['--enable-source-maps', '--v8-pool-size=4'])).toEqual(ALWAYS);
  expect(nodeFlags(2, ['--max-old-space-size=4096 --v8-pool-size 3'])).toEqual(ALWAYS);
  expect(nodeFlags(2, ['--allocation-site-pretenuring'])).toEqual([
    '--no-memory-reducer',
    '--v8-pool-size=1',
  ]);
  expect(nodeFlags(8, ['--memory-reducer'])).toEqual(['--no-allocation-site-pretenuring']);
  expect(nodeFlags(2, ['--memory_reducer', '--v8_pool_size=4'])).toEqual([
    '--no-allocation-site-pretenuring',
  ]);
  expect(nodeFlags(2, ['--max-old-space-size=4096'])).toEqual([...ALWAYS, '--v8-pool-size=1']);
});
