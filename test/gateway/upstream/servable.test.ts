import { readUpstream } from '../../../experiments/upstream-definition.ts';
import { UpstreamVersion } from '../../../gateway/upstream/upstream-version.ts';
import { describeServable } from '../../backends/servable-contract.ts';
import type { OpenServable } from '../../backends/servable-contract.ts';
import { addingModel } from '../../models/small-models.ts';
import { startGateway } from '../running-gateway.ts';

/** The same model, in another gateway. */
async function open(tensors: 'binary' | 'json'): Promise<OpenServable> {
  const server = await startGateway({ files: { 'models/tested/1/model.onnx': addingModel(1) } });
  const definition = readUpstream({ url: server.url(''), tensors }, 'tested', [], (_, message) => {
    throw new Error(message);
  });
  const version = new UpstreamVersion({
    model: 'tested',
    definition,
    keepsCredentials: false,
    answers: { answerBytes: 1024 ** 2, takenWithinMs: 60_000 },
    local: () => undefined,
    events: { onTry: () => undefined, onRetry: () => undefined, onReadiness: () => undefined },
  });
  await version.start();
  return {
    version,
    async [Symbol.asyncDispose]() {
      await version.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

describeServable('a model on another server, with binary tensors', () => open('binary'));
describeServable('a model on another server, in JSON', () => open('json'));
