import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { httpRequest } from './load/http-request.ts';
import { loadFromOutside, startServer } from './process.ts';
import type { ServerProcess } from './process.ts';
import type { LongestTurn, ServerMeasure } from './servers/messages.ts';
import { median, print, printFigure, spread, turns } from './report.ts';

/** Short: what is compared has to have had the same machine, and a shared one changes within seconds. */
export const SECONDS = 1;

/** Until what runs at each request is compiled as well as it will be; a server's throughput doubles in its first ten seconds. */
export const WARM_UP_SECONDS = 12;
export const CONNECTIONS = 128;

/** So many that no server ever waits for the load. */
const SATURATING_CONNECTIONS = 2 * CONNECTIONS;
const TURN_ROUNDS = 5;

export const DEMO = fileURLToPath(new URL('../demo/', import.meta.url));
const MODELS = [1, 2].map((version) => join(DEMO, `models/digits/${version}/model.onnx`));

/** Requests of many users, each with a scan's worth of numbers. */
export function digitRequests(headers: Readonly<Record<string, string>> = {}): readonly Buffer[] {
  return Array.from({ length: 997 }, (_, user) => {
    const data = Array.from({ length: 64 }, (_value, index) => ((index * 7 + user) % 17) / 16);
    const inputs = [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data }];
    return httpRequest(
      '/v2/models/digits/infer',
      { 'content-type': 'application/json', 'x-user-id': `user-${user}`, ...headers },
      Buffer.from(JSON.stringify({ inputs })),
    );
  });
}

/** The gateway over the demo's experiment against a bare route, and against the model in the request's handler. */
export async function benchDigits(rounds: number): Promise<void> {
  print(
    `digits model, v2 JSON, ${SATURATING_CONNECTIONS} connections, ${rounds} rounds of ${SECONDS} s each, in turn`,
  );
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ${join(DEMO, 'models')} }\n` +
      `experiments: ${join(DEMO, 'experiments')}\n`,
  });
  const config = join(folder.path, 'signalbox.yaml');
  await using gateway = await startServer('./servers/gateway.ts', { config });
  await using bare = await startServer('./servers/bare-fastify.ts');
  await using split = await startServer('./servers/in-handler.ts', { models: MODELS });
  await using cnn = await startServer('./servers/in-handler.ts', { models: MODELS.slice(1) });
  const users = digitRequests();
  const forced = digitRequests({ 'x-experiment': 'v2' });

  const contenders = {
    gateway: { server: gateway, requests: users },
    bare: { server: bare, requests: users },
    handler: { server: split, requests: users },
    gatewayCnn: { server: gateway, requests: forced },
    handlerCnn: { server: cnn, requests: users },
  };
  type Name = keyof typeof contenders;
  const names = Object.keys(contenders) as Name[];
  const none = <Value>(): Record<Name, Value[]> => ({
    gateway: [],
    bare: [],
    handler: [],
    gatewayCnn: [],
    handlerCnn: [],
  });
  const perSecond = none<number>();
  const measured = none<ServerMeasure>();
  /** Processor time of the server's main thread for each request, in microseconds. */
  const mainThreadUs = none<number>();
  const load = (name: Name, seconds: number): ReturnType<typeof loadFromOutside> => {
    const { server, requests } = contenders[name];
    return loadFromOutside({
      host: '127.0.0.1',
      port: server.port,
      requests,
      connections: SATURATING_CONNECTIONS,
      seconds,
    });
  };
  for (const name of names) await load(name, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const { server } = contenders[name];
      await server.measure();
      const result = await load(name, SECONDS);
      const measure = await server.measure();
      perSecond[name].push(result.perSecond);
      measured[name].push(measure);
      mainThreadUs[name].push((measure.mainThreadMs * 1000) / result.answers);
    }
  }
  const ratios = (of: Record<Name, number[]>, a: Name, b: Name): readonly number[] =>
    of[a].map((value, round) => value / (of[b][round] ?? Number.NaN));
  const figure = (name: Name): string =>
    `${spread(perSecond[name], 0)} requests/s, ${spread(mainThreadUs[name], 0)} us of its main thread each`;

  printFigure('gateway, 90/10', figure('gateway'));
  printFigure('bare Fastify route', figure('bare'));
  printFigure('models in the handler, 90/10', figure('handler'));
  printFigure('gateway, all to the CNN', figure('gatewayCnn'));
  printFigure('the CNN in the handler', figure('handlerCnn'));
  printFigure('(a) gateway / bare route', spread(ratios(perSecond, 'gateway', 'bare')), '>= 0.70');
  printFigure('    by processor time', spread(ratios(mainThreadUs, 'bare', 'gateway')));
  printFigure('(b) gateway / in the handler', spread(ratios(perSecond, 'gateway', 'handler')), '>= 1.40');
  printFigure('    by processor time', spread(ratios(mainThreadUs, 'handler', 'gateway')));
  printFigure('    the same, all to the CNN', spread(ratios(perSecond, 'gatewayCnn', 'handlerCnn')));
  printFigure('    by processor time', spread(ratios(mainThreadUs, 'handlerCnn', 'gatewayCnn')));
  const batches = measured.gateway.map(({ averageBatch }) => averageBatch ?? Number.NaN);
  printFigure('average batch', `${spread(batches, 1)} rows`);
  await benchTurns(gateway, bare, users);
  await benchHalfLoad(gateway, bare, users, median(perSecond.gateway) / 2, rounds);
}

/** How long the event loop is held: watched apart from the throughput, as watching costs the server some of it. */
async function benchTurns(
  gateway: ServerProcess,
  bare: ServerProcess,
  requests: readonly Buffer[],
): Promise<void> {
  const of = (server: ServerProcess): Promise<LongestTurn> =>
    server.longestTurn({
      host: '127.0.0.1',
      port: server.port,
      requests,
      connections: CONNECTIONS,
      seconds: 2 * SECONDS,
    });
  const rounds: { readonly gateway: LongestTurn; readonly bare: LongestTurn }[] = [];
  while (rounds.length < TURN_ROUNDS) rounds.push({ gateway: await of(gateway), bare: await of(bare) });
  printFigure('longest event loop turn', turns(rounds.map((round) => round.gateway)), '<= 20');
  printFigure('  of the bare route', turns(rounds.map((round) => round.bare)));
}

/** Latency at half the throughput, open loop: what the gateway adds to a bare route. */
async function benchHalfLoad(
  gateway: ServerProcess,
  bare: ServerProcess,
  requests: readonly Buffer[],
  ratePerSecond: number,
  rounds: number,
): Promise<void> {
  const at = (server: ServerProcess) =>
    loadFromOutside({
      host: '127.0.0.1',
      port: server.port,
      requests,
      connections: CONNECTIONS,
      seconds: SECONDS,
      ratePerSecond,
    });
  const pairs: { gateway: Awaited<ReturnType<typeof at>>; bare: Awaited<ReturnType<typeof at>> }[] = [];
  await gateway.measure();
  for (let round = 0; round < rounds; round++)
    pairs.push({ gateway: await at(gateway), bare: await at(bare) });
  const { averageBatch } = await gateway.measure();
  print(`  at half load (${ratePerSecond.toFixed(0)} requests/s, open loop):`);
  for (const quantile of ['p50Ms', 'p99Ms'] as const) {
    const added = spread(pairs.map((pair) => pair.gateway[quantile] - pair.bare[quantile]));
    const whole = spread(pairs.map((pair) => pair.gateway[quantile]));
    printFigure(`  ${quantile.slice(0, 3)} added to the bare route`, `${added} ms, of ${whole} ms`);
  }
  printFigure('  average batch', `${averageBatch?.toFixed(1) ?? '-'} rows`);
}
