import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // onnxruntime-node loads once per process; `forks` gives each test file a process of its own.
    pool: 'forks',
    // Vitest leaves one core free, which on two cores is half of them; most files wait for processes of their own.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
