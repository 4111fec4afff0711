/** Tries a provider: loads a small model on it, runs it once, and says whether that worked. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OnnxInstance } from '../instance.ts';
import { zeroRun } from '../zero-run.ts';
import type { GpuProvider } from './execution-provider.ts';
import type { ProbeResult } from './gpu-providers.ts';
import { PROBE_MODEL } from './probe-model.ts';

process.on('message', (provider: GpuProvider) => {
  void attempt(provider).then((result) => {
    process.send?.(result, () => {
      process.disconnect();
    });
  });
});

async function attempt(provider: GpuProvider): Promise<ProbeResult> {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-probe-'));
  const modelFile = join(folder, 'model.onnx');
  try {
    await writeFile(modelFile, PROBE_MODEL);
    const instance = await OnnxInstance.start({ modelFile, threads: 1, provider });
    try {
      await instance.run(zeroRun(instance, 1));
      return { kind: 'works' };
    } finally {
      await instance.close();
    }
  } catch (error) {
    return { kind: 'fails', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
