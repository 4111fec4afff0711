/** Runs back to back over ONNX Runtime on one of its execution providers, at several batch sizes: what there is to have without a server. */
import * as ort from 'onnxruntime-node';
import type { ExecutionProvider } from '../../backends/onnx/providers/execution-provider.ts';

export interface SweepQuestion {
  readonly model: string;
  readonly provider: ExecutionProvider;
  /** Threads of a run on the processor. */
  readonly threads: number;
  readonly datatype: 'FP32' | 'UINT8';
  /** Of one row. */
  readonly shape: readonly number[];
  readonly batchSizes: readonly number[];
  readonly secondsEach: number;
}

export interface SweepAnswer {
  readonly sizes: readonly SweepSize[];
}

export interface SweepSize {
  readonly batchSize: number;
  readonly rowsPerSecond: number;
  /** The first run of that size, in milliseconds: it chooses its kernels, and compiles them. */
  readonly firstMs: number;
}

process.once(
  'message',
  ({ model, provider, threads, datatype, shape, batchSizes, secondsEach }: SweepQuestion) => {
    ort.env.logLevel = 'error';
    void ort.InferenceSession.create(model, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    }).then(async (session) => {
      const [name] = session.inputNames;
      if (name === undefined) throw new Error('the model has no input');
      const sizes: SweepSize[] = [];
      for (const batchSize of batchSizes) {
        const dims = [batchSize, ...shape];
        const length = dims.reduce((count, size) => count * size, 1);
        const tensor =
          datatype === 'UINT8'
            ? new ort.Tensor(
                'uint8',
                Uint8Array.from({ length }, (_, index) => index % 251),
                dims,
              )
            : new ort.Tensor(
                'float32',
                Float32Array.from({ length }, (_, index) => Math.sin(index)),
                dims,
              );
        const feeds = { [name]: tensor };
        const firstFromMs = performance.now();
        await session.run(feeds);
        const firstMs = performance.now() - firstFromMs;
        await session.run(feeds);
        const startMs = performance.now();
        let rows = 0;
        while (performance.now() - startMs < secondsEach * 1000) {
          await session.run(feeds);
          rows += batchSize;
        }
        sizes.push({ batchSize, rowsPerSecond: rows / ((performance.now() - startMs) / 1000), firstMs });
      }
      process.send?.({ sizes } satisfies SweepAnswer);
      process.disconnect();
    });
  },
);
