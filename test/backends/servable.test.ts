import { DEFAULT_MODEL_CONFIG } from '../../backends/repository/model-config.ts';
import { addingModel } from '../models/small-models.ts';
import { loadVersion } from './load-version.ts';
import { describeServable } from './servable-contract.ts';

describeServable('an ONNX model', () =>
  loadVersion(addingModel(1), { maxBatchSize: 8, batching: { ...DEFAULT_MODEL_CONFIG.batching } }),
);
