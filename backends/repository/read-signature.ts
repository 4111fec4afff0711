import { join } from 'node:path';
import { resolveSignature, statedBatchSize } from '../declared-signature.ts';
import type { GraphSignature } from '../declared-signature.ts';
import { imageFaults } from '../image/fits-input.ts';
import { readGraphSignature } from '../onnx/graph-file.ts';
import { DEFAULT_MAX_BATCH_SIZE, batchesRows } from '../onnx/plan.ts';
import type { VersionFolder } from './layout.ts';
import type { ModelConfig } from './model-config.ts';

/**
 * What a version would take and give once it is loaded, read from its file. ONNX Runtime may still refuse it: of its nodes and weights nothing is looked at.
 *
 * @returns undefined where no file tells: it isn't an ONNX model
 * @throws Error with the reason why it can't be loaded, where that is known already
 */
export async function readSignature(
  { directory }: VersionFolder,
  config: ModelConfig,
): Promise<GraphSignature | undefined> {
  if (config.backend.kind !== 'onnxruntime') return undefined;
  const graph = await readGraphSignature(join(directory, config.modelFilename));
  if (graph === undefined) return undefined;
  const stated = statedBatchSize(config, graph);
  const maxBatchSize = batchesRows(graph, stated) ? (stated ?? DEFAULT_MAX_BATCH_SIZE) : 0;
  // Of outputs that the file doesn't describe, what is declared can't be held against anything.
  const declared = graph.outputs.length === 0 ? { ...config, outputs: undefined } : config;
  const signature = resolveSignature(declared, graph, maxBatchSize);
  const faults = config.image === undefined ? [] : imageFaults(config.image, signature.inputs);
  if (faults.length > 0) throw new Error(`signalbox.image does not fit the model: ${faults.join('; ')}`);
  return signature;
}
