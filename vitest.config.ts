import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Folders whose files follow each other in one process, which saves most of them a second of loading the gateway. */
const SHARING = 'backends|dashboards|documents|experiments|gateway|models';

/** Files there that need a process to themselves. */
const ALONE = [
  // They look at the process as a whole: its memory, its event loop, what it loads first.
  'test/backends/image/refused-image.test.ts',
  'test/gateway/telemetry/measures/process-metrics.test.ts',
  // They set what the runtime reads of the environment, or end its threads in the middle of their work.
  'test/backends/onnx/**/*.test.ts',
];

export default defineConfig({
  test: {
    pool: 'forks',
    // A command or a gateway that a test starts finds what Node made of the source for the one before, which halves its start.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), `signalbox-compiled-${process.pid}`) },
    globalSetup: ['test/compile-cache.ts'],
    // Vitest leaves one core free, which on two cores is half of them; most files wait for processes of their own.
    maxWorkers: Math.max(2, availableParallelism()),
    // They end what hangs. A machine that is busy with something else, on which all takes ten times as long, is no failure.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 60_000,
    // What a test replaces is back before the next one, in the next file too.
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'sharing',
          include: [`test/@(${SHARING})/**/*.test.ts`],
          exclude: ALONE,
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: [`test/!(${SHARING})/**/*.test.ts`, 'test/*.test.ts', ...ALONE] },
      },
    ],
  },
});
