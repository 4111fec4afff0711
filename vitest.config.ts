import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

/**
 * What these test is pure: the import rules keep processes, sockets and threads out of the experiments, of which only the stores read or write.
 * So these files follow each other in one process, which loads what they share once. What measures its process has one to itself.
 */
const PURE = ['test/experiments/*.test.ts', 'test/experiments/!(stores|targeting)/**/*.test.ts'];

export default defineConfig({
  test: {
    // onnxruntime-node loads once per process; `forks` gives each test file a process of its own, unless it says that it shares one.
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'own process', include: ['test/**/*.test.ts'], exclude: PURE } },
      { extends: true, test: { name: 'shared process', include: PURE, isolate: false } },
    ],
    sequence: { sequencer: LongestFirst },
    // Typebox has 680 files. As one for each of its entries it takes a process a fifth of a second less to load, which nearly all of them do.
    deps: {
      optimizer: {
        ssr: { enabled: true, include: ['typebox', 'typebox/compile', 'typebox/system', 'typebox/value'] },
      },
    },
    // A command or a gateway that a test starts finds what Node made of the source for the one before, which halves its start.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), `signalbox-compiled-${process.pid}`) },
    globalSetup: ['test/compile-cache.ts'],
    // One more than there are cores: most files wait, for processes of their own or for a time to pass, for a quarter of their time.
    maxWorkers: availableParallelism() + 1,
    // They end what hangs. A machine that is busy with something else, on which all takes ten times as long, is no failure.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 100_000 } },
    // What a test replaces is back before the next one.
    restoreMocks: true,
    unstubEnvs: true,
  },
});
