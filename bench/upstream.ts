/**
 * `npm run bench:upstream [-- ROUNDS]`: the gateway in front of another server, against nginx' `split_clients` in front of the
 * same one. bench/README.md has the method.
 */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findServer } from '../test/servers/debian-server.ts';
import { freePort } from '../test/servers/free-port.ts';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { httpRequest } from './load/http-request.ts';
import { WARM_UP_SECONDS } from './digits.ts';
import { loadFromOutside, startServer } from './process.ts';
import { median, print, printFigure, spread } from './report.ts';
import type { LoadResult } from './load/load-result.ts';

const SECONDS = 4;
const CALM_SECONDS = 2;
/** Rounds of both before those that count: 80 s, in which connections that only the full load needed are closed, after 70 s without use. */
const CALM_WARM_UPS = 20;
const CONNECTIONS = 64;
const USERS = 997;
const DEMO = fileURLToPath(new URL('../demo/', import.meta.url));

const requests = Array.from({ length: USERS }, (_, user) => {
  const data = Array.from({ length: 64 }, (_, index) => ((index * 7 + user) % 17) / 16);
  const inputs = [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data }];
  const body = Buffer.from(JSON.stringify({ inputs }));
  return httpRequest('/v2/models/digits/infer', { 'x-user-id': `user-${user}` }, body);
});

const rounds = Number(process.argv[2] ?? 5);
const nginx = await findServer('nginx', 'nginx-light');
if (nginx.kind === 'missing') throw new Error(nginx.reason);

const date = new Date().toISOString().slice(0, 10);
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${date}`);
print(`digits model, ${CONNECTIONS} connections, ${rounds} rounds of ${SECONDS} s each, in turn`);

await using folder = await temporaryFolder({
  'server.yaml': `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ${join(DEMO, 'models')} }\n`,
  'empty/README': 'all variants live elsewhere',
});
await using server = await startServer('./servers/gateway.ts', { config: join(folder.path, 'server.yaml') });
const upstream = `http://127.0.0.1:${server.port}`;
const nginxPort = await freePort();
await folder.write({
  'experiments/digits.yaml': JSON.stringify({
    key: 'digits-cnn',
    model: 'digits',
    status: 'running',
    control: 'v1',
    variants: [
      { name: 'v1', weight: 90, upstream: { url: upstream, version: 1 } },
      { name: 'v2', weight: 10, upstream: { url: upstream, version: 2 } },
    ],
  }),
  'gateway.yaml': `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./empty }\nexperiments: ./experiments\n`,
  'nginx.conf': `
worker_processes auto;
daemon off;
pid ${folder.path}/nginx.pid;
error_log ${folder.path}/nginx.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder.path}/body;
  proxy_temp_path ${folder.path}/proxy;
  fastcgi_temp_path ${folder.path}/fastcgi;
  uwsgi_temp_path ${folder.path}/uwsgi;
  scgi_temp_path ${folder.path}/scgi;
  keepalive_requests 1000000000;
  split_clients "$http_x_user_id" $version { 10% 2; * 1; }
  upstream models { server 127.0.0.1:${server.port}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${nginxPort};
    location /v2/models/digits/infer {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://models/v2/models/digits/versions/$version/infer;
    }
  }
}`,
});
await using gateway = await startServer('./servers/gateway.ts', {
  config: join(folder.path, 'gateway.yaml'),
});
const proxy = spawn(nginx.program, ['-c', join(folder.path, 'nginx.conf'), '-p', folder.path], {
  stdio: 'inherit',
});
try {
  const ports = { nginx: nginxPort, signalbox: gateway.port };
  const load = (port: number, seconds: number, ratePerSecond?: number) =>
    loadFromOutside({
      host: '127.0.0.1',
      port,
      requests,
      connections: CONNECTIONS,
      seconds,
      ...(ratePerSecond !== undefined && { ratePerSecond }),
    });
  const ofNginx: number[] = [];
  const ofGateway: number[] = [];
  // Both have the same server behind them, which is warmed up with them.
  for (const port of Object.values(ports)) await load(port, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    const perSecond = [await load(ports.nginx, SECONDS), await load(ports.signalbox, SECONDS)] as const;
    ofNginx.push(perSecond[0].perSecond);
    ofGateway.push(perSecond[1].perSecond);
  }
  printFigure('nginx split_clients', `${spread(ofNginx, 0)} requests/s`);
  printFigure('gateway', `${spread(ofGateway, 0)} requests/s`);
  printFigure(
    'gateway / nginx',
    spread(
      ofGateway.map((rate, round) => rate / (ofNginx[round] ?? NaN)),
      2,
    ),
    '>= 0.35',
  );

  // Short and many: what is subtracted has to have had the same machine, and a shared one changes within seconds.
  const half = median(ofGateway) / 2;
  // An open loop is other work than a closed one, and the first connection that is closed as idle other work again: V8 compiles a hundred functions anew for it,
  // which takes one of two cores for some 60 ms, once in the life of a process.
  for (let round = 0; round < CALM_WARM_UPS; round++)
    for (const port of Object.values(ports)) await load(port, CALM_SECONDS, half);
  const calm: { readonly nginx: LoadResult; readonly gateway: LoadResult }[] = [];
  for (let round = 0; round < 3 * rounds; round++)
    calm.push({
      nginx: await load(ports.nginx, CALM_SECONDS, half),
      gateway: await load(ports.signalbox, CALM_SECONDS, half),
    });
  print(
    `  at half load (${half.toFixed(0)} requests/s, open loop), ${calm.length} rounds of ${CALM_SECONDS} s each, in turn:`,
  );
  const difference = (of: (result: LoadResult) => number): string =>
    `${spread(
      calm.map(({ nginx, gateway }) => of(gateway) - of(nginx)),
      2,
    )} ms, of ${spread(
      calm.map(({ nginx }) => of(nginx)),
      2,
    )} ms`;
  printFigure(
    '  p50 added to nginx',
    difference(({ p50Ms }) => p50Ms),
  );
  printFigure(
    '  p99 added to nginx',
    difference(({ p99Ms }) => p99Ms),
    '< 2 ms',
  );
} finally {
  proxy.kill();
}
