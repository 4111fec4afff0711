import { join } from 'node:path';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { httpRequest } from './load/http-request.ts';
import { resnet18 } from './models/resnet18.ts';
import { askOnce, loadFromOutside, startServer } from './process.ts';
import { print, printFigure, spread, turns } from './report.ts';
import type { OfflineAnswer, OfflineQuestion } from './servers/offline-loop.ts';

const SECONDS = 4;
const CONNECTIONS = 16;
const SHAPE = [3, 224, 224];

/** A graph that only computes: the gateway with binary bodies against the best loop over ONNX Runtime itself. */
export async function benchResnet(rounds: number): Promise<void> {
  const { model, parameters } = resnet18();
  const millions = (parameters / 1e6).toFixed(1);
  print(
    `ResNet-18-sized graph (${millions} M parameters), binary bodies, one intra-op thread, ${rounds} rounds`,
  );
  await using folder = await temporaryFolder({
    'models/resnet18/1/model.onnx': model,
    'models/resnet18/config.yaml':
      'max_batch_size: 8\nparameters: { intra_op_thread_count: { string_value: "1" } }\n',
    'signalbox.yaml': 'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\n',
  });
  const question: OfflineQuestion = {
    model: join(folder.path, 'models/resnet18/1/model.onnx'),
    batchSizes: [1, 2, 4, 8],
    shape: SHAPE,
    secondsEach: SECONDS,
  };
  await using gateway = await startServer('./servers/gateway.ts', {
    config: join(folder.path, 'signalbox.yaml'),
  });
  const load = {
    host: '127.0.0.1',
    port: gateway.port,
    requests: [imageRequest()],
    connections: CONNECTIONS,
    seconds: SECONDS * 2,
  };
  await loadFromOutside(load); // Warm-up, not counted.
  await gateway.measure();
  const measured: { gateway: number; offline: OfflineAnswer }[] = [];
  for (let round = 0; round < rounds; round++) {
    const { perSecond } = await loadFromOutside(load);
    measured.push({ gateway: perSecond, offline: await askOnce('./servers/offline-loop.ts', question) });
  }
  const ratios = measured.map((round) => round.gateway / round.offline.rowsPerSecond);
  printFigure(
    'gateway',
    `${spread(
      measured.map((round) => round.gateway),
      1,
    )} images/s`,
  );
  printFigure(
    'best offline loop',
    `${spread(
      measured.map((round) => round.offline.rowsPerSecond),
      1,
    )} images/s`,
  );
  printFigure('(c) gateway / offline loop', spread(ratios), '>= 0.90');
  const ofServer = await gateway.measure();
  printFigure('average batch', `${ofServer.averageBatch?.toFixed(1) ?? '-'} rows`);
  printFigure('longest event loop turn', turns([await gateway.longestTurn(load)]), '<= 20');
}

/** One image as binary tensor data, 602,112 bytes of it. */
function imageRequest(): Buffer {
  const length = SHAPE.reduce((count, size) => count * size, 1);
  const data = Float32Array.from({ length }, (_, index) => Math.sin(index));
  const input = {
    name: 'image',
    shape: [1, ...SHAPE],
    datatype: 'FP32',
    parameters: { binary_data_size: data.byteLength },
  };
  const json = Buffer.from(JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } }));
  return httpRequest(
    '/v2/models/resnet18/infer',
    { 'inference-header-content-length': json.length },
    Buffer.concat([json, Buffer.from(data.buffer)]),
  );
}
