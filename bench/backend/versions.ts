import { join } from 'node:path';
import { ModelVersion } from '../../backends/model-version.ts';
import type { FindGpus } from '../../backends/onnx/providers/gpu-providers.ts';
import { DEFAULT_MODEL_CONFIG } from '../../backends/repository/model-config.ts';
import type { ModelConfig } from '../../backends/repository/model-config.ts';
import type { Device } from '../../backends/scheduling/device.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { elementCount } from '../../backends/tensor/tensor.ts';
import { temporaryFolder } from '../../test/models/temporary-folder.ts';

export interface BenchedModel {
  readonly model: Uint8Array;
  readonly input: string;
  /** Left out: FP32. */
  readonly datatype?: 'FP32' | 'UINT8';
  /** Of one row. */
  readonly shape: readonly number[];
}

export interface BenchedVersions extends AsyncDisposable {
  readonly versions: readonly ModelVersion[];
  /** Path of the model's file. */
  readonly modelFile: string;
}

/**
 * Loads one model as several versions, which share a device; the configuration of each is given.
 *
 * @param findGpus left out: there are none
 * @param onPlacement told where each was placed, and why there
 */
export async function loadVersions(
  { model }: BenchedModel,
  device: Device,
  configs: readonly Partial<ModelConfig>[],
  findGpus?: FindGpus,
  onPlacement: (provider: string, why: string) => void = () => undefined,
): Promise<BenchedVersions> {
  const folder = await temporaryFolder({ 'model.onnx': model });
  const modelFile = join(folder.path, 'model.onnx');
  const versions: ModelVersion[] = [];
  for (const [index, config] of configs.entries()) {
    const events = {
      onBatch: () => undefined,
      onWorkerRestart: () => undefined,
      onHang: () => undefined,
      onPlacement: (_model: string, _version: number, provider: string, why: string) => {
        onPlacement(provider, why);
      },
    };
    versions.push(
      await ModelVersion.load({
        model: 'benched',
        version: index + 1,
        modelFile,
        digest: '',
        config: { ...DEFAULT_MODEL_CONFIG, ...config },
        labels: [],
        threads: 1,
        device,
        ...(findGpus !== undefined && { findGpus }),
        events,
      }),
    );
  }
  return {
    versions,
    modelFile,
    async [Symbol.asyncDispose]() {
      await Promise.all(versions.map((version) => version.close()));
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** One row for a model; the values are of no account. */
export function rowFor({ input, shape, datatype = 'FP32' }: BenchedModel): Tensor {
  const dims = [1, ...shape];
  const length = elementCount(dims);
  return datatype === 'UINT8'
    ? { name: input, datatype, shape: dims, data: Uint8Array.from({ length }, (_, index) => index % 251) }
    : {
        name: input,
        datatype,
        shape: dims,
        data: Float32Array.from({ length }, (_, index) => Math.sin(index)),
      };
}
