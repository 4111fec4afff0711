/** The best there is without a server: runs back to back over ONNX Runtime, with the batch size that suits it best. */
import * as ort from 'onnxruntime-node';

export interface OfflineQuestion {
  readonly model: string;
  readonly batchSizes: readonly number[];
  /** Of one row. */
  readonly shape: readonly number[];
  readonly secondsEach: number;
}

export interface OfflineAnswer {
  readonly rowsPerSecond: number;
  readonly batchSize: number;
  /** Of the whole process, at that batch size: on a machine that others use it varies less than rows a second. */
  readonly rowsPerCpuSecond: number;
}

process.once('message', ({ model, batchSizes, shape, secondsEach }: OfflineQuestion) => {
  void ort.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  }).then(async (session) => {
    const [name] = session.inputNames;
    if (name === undefined) throw new Error('the model has no input');
    let best: OfflineAnswer = { rowsPerSecond: 0, batchSize: 0, rowsPerCpuSecond: 0 };
    for (const batchSize of batchSizes) {
      const dims = [batchSize, ...shape];
      const length = dims.reduce((count, size) => count * size, 1);
      const data = Float32Array.from({ length }, (_, index) => Math.sin(index));
      const feeds = { [name]: new ort.Tensor('float32', data, dims) };
      await session.run(feeds);
      const startMs = performance.now();
      const before = process.cpuUsage();
      let rows = 0;
      while (performance.now() - startMs < secondsEach * 1000) {
        await session.run(feeds);
        rows += batchSize;
      }
      const rowsPerSecond = rows / ((performance.now() - startMs) / 1000);
      const { user, system } = process.cpuUsage(before);
      const rowsPerCpuSecond = rows / ((user + system) / 1e6);
      if (rowsPerSecond > best.rowsPerSecond) best = { rowsPerSecond, batchSize, rowsPerCpuSecond };
    }
    process.send?.(best);
    process.disconnect();
  });
});
