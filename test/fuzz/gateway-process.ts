/** A gateway in a process of its own, which a bad input may take down, and whose memory is nobody else's. */
import { join } from 'node:path';
import { identityModel } from '../models/onnx-graph.ts';
import { DEMO_FOLDER, experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { GatewayAddresses } from './fuzzed-gateway.ts';

const gateway = await startGateway({
  grpc: true,
  config:
    `models: { repository: [./models, ${JSON.stringify(join(DEMO_FOLDER, 'models'))}], defaultModel: digits }\n` +
    'secret: a secret of a fuzzed gateway\n',
  files: {
    'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
    'models/integers/1/model.onnx': identityModel('INT64', ['batch', 2]),
    'models/text/1/model.onnx': identityModel('BYTES', ['batch', 2]),
    'experiments/digits.yaml': experimentFile(),
  },
});
const { http = '', grpc = '' } = gateway.server.bound;
const addresses: GatewayAddresses = { http, grpc };
process.send?.(addresses);
// Whoever started it may be killed.
process.once('disconnect', () => {
  process.exit();
});
process.on('message', (message) => {
  if (message === 'memory') {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    process.send?.(heapUsed + external);
    return;
  }
  void gateway[Symbol.asyncDispose]().then(() => {
    process.disconnect();
  });
});
