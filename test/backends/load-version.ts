import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { ModelVersion } from '../../backends/model-version.ts';
import type { BackendEvents, FaultOptions } from '../../backends/model-version.ts';
import type { FindGpus } from '../../backends/onnx/providers/gpu-providers.ts';
import { DEFAULT_MODEL_CONFIG } from '../../backends/repository/model-config.ts';
import type { ModelConfig } from '../../backends/repository/model-config.ts';
import { Device } from '../../backends/scheduling/device.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

export interface LoadedVersion extends AsyncDisposable {
  readonly version: ModelVersion;
  readonly events: {
    readonly [Event in keyof BackendEvents]-?: ReturnType<typeof vi.fn<Required<BackendEvents>[Event]>>;
  };
}

/** Serves a model's bytes as version 1 of the model `tested`, until it is disposed of. */
export async function loadVersion(
  model: Uint8Array,
  config: Partial<ModelConfig> = {},
  device = new Device(availableParallelism()),
  faults: Partial<FaultOptions> = {},
  findGpus?: FindGpus,
): Promise<LoadedVersion> {
  const folder = await temporaryFolder({ 'model.onnx': model });
  const events = {
    onBatch: vi.fn<BackendEvents['onBatch']>(),
    onWorkerRestart: vi.fn<BackendEvents['onWorkerRestart']>(),
    onHang: vi.fn<BackendEvents['onHang']>(),
    onProcessDeaths: vi.fn<Required<BackendEvents>['onProcessDeaths']>(),
    onPlacement: vi.fn<BackendEvents['onPlacement']>(),
  };
  try {
    const version = await ModelVersion.load({
      model: 'tested',
      version: 1,
      modelFile: join(folder.path, 'model.onnx'),
      config: { ...DEFAULT_MODEL_CONFIG, ...config },
      digest: '',
      labels: [],
      threads: 1,
      device,
      faults: { runLimitMs: 60_000, ...faults },
      ...(findGpus !== undefined && { findGpus }),
      events,
    });
    return {
      version,
      events,
      async [Symbol.asyncDispose]() {
        await version.close();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
