import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // onnxruntime-node loads once per process; `forks` gives each test file a process of its own.
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
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
