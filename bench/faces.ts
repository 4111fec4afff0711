/** `npm run bench:faces [-- ROUNDS]`: what a request costs by its protocol. bench/README.md has the method. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import type { LoadResult } from './load/load-result.ts';
import { httpRequest } from './load/http-request.ts';
import { askOnce, loadFromOutside, startServer } from './process.ts';
import { print, printFigure, spread } from './report.ts';

const SECONDS = 4;
const UNDER_WAY = 64;
const USERS = 997;

const DEMO = fileURLToPath(new URL('../demo/', import.meta.url));
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PROTO = fileURLToPath(new URL('../gateway/faces/grpc/protos/inference.proto', import.meta.url));

const PATH = '/inference.GRPCInferenceService/ModelInfer';
const SHAPE = [1, 1, 8, 8];

/** A scan's worth of numbers, another for each user. */
function pixels(user: number): Float32Array {
  return Float32Array.from({ length: 64 }, (_, index) => ((index * 7 + user) % 17) / 16);
}

function eachUser<Request>(
  make: (pixels: Float32Array, headers: Record<string, string>) => Request,
): Request[] {
  return Array.from({ length: USERS }, (_, user) => make(pixels(user), { 'x-user-id': `user-${user}` }));
}

const json = eachUser((data, headers) => {
  const inputs = [{ name: 'image', shape: SHAPE, datatype: 'FP32', data: [...data] }];
  return httpRequest('/v2/models/digits/infer', headers, Buffer.from(JSON.stringify({ inputs })));
});

const binary = eachUser((data, headers) => {
  const input = { name: 'image', shape: SHAPE, datatype: 'FP32', parameters: { binary_data_size: 256 } };
  const head = Buffer.from(JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } }));
  return httpRequest(
    '/v2/models/digits/infer',
    { ...headers, 'inference-header-content-length': head.length },
    Buffer.concat([head, Buffer.from(data.buffer)]),
  );
});

const service = loadSync(PROTO, { keepCase: true, includeDirs: [ROOT] })[
  'inference.GRPCInferenceService'
] as unknown as {
  readonly ModelInfer: { readonly requestSerialize: (message: object) => Buffer };
};
const grpc = eachUser((data, headers) => {
  const inputs = [{ name: 'image', shape: SHAPE, datatype: 'FP32' }];
  const raw_input_contents = [Buffer.from(data.buffer)];
  const message = service.ModelInfer.requestSerialize({ model_name: 'digits', inputs, raw_input_contents });
  return { headers, message };
});

const rounds = Number(process.argv[2] ?? 5);
const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print(`digits model, 90/10, ${UNDER_WAY} requests under way, ${rounds} rounds of ${SECONDS} s each, in turn`);

await using folder = await temporaryFolder({
  'signalbox.yaml':
    `listen: { http: 127.0.0.1:0, grpc: 127.0.0.1:0 }\nmodels: { repository: ${join(DEMO, 'models')} }\n` +
    `experiments: ${join(DEMO, 'experiments')}\n`,
});
await using gateway = await startServer('./servers/gateway.ts', {
  config: join(folder.path, 'signalbox.yaml'),
});
const overHttp = (requests: readonly Buffer[]): Promise<LoadResult> => {
  const { port } = gateway;
  return loadFromOutside({ host: '127.0.0.1', port, requests, connections: UNDER_WAY, seconds: SECONDS });
};
const contenders = {
  'v2 JSON': () => overHttp(json),
  'v2 binary': () => overHttp(binary),
  gRPC: async () => {
    const load = { port: gateway.grpcPort, path: PATH, requests: grpc, seconds: SECONDS };
    const result = await askOnce<LoadResult>('./load/grpc-load-process.ts', {
      ...load,
      connections: 4,
      callsEach: UNDER_WAY / 4,
    });
    if (result.failures > 0) throw new Error(`${result.failures} of ${result.answers} answers were errors`);
    return result;
  },
};

const measured = new Map<string, { perSecond: number[]; mainThreadMicroseconds: number[] }>();
// The first round warms up, and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const [name, load] of Object.entries(contenders)) {
    await gateway.measure();
    const { answers, perSecond } = await load();
    const { mainThreadMs } = await gateway.measure();
    if (round === 0) continue;
    const figures = measured.get(name) ?? { perSecond: [], mainThreadMicroseconds: [] };
    measured.set(name, figures);
    figures.perSecond.push(perSecond);
    figures.mainThreadMicroseconds.push((mainThreadMs * 1000) / answers);
  }
}
for (const [name, { perSecond, mainThreadMicroseconds }] of measured) {
  printFigure(name, `${spread(perSecond, 0)} requests/s`);
  printFigure('  main thread', `${spread(mainThreadMicroseconds, 0)} us a request`);
}
