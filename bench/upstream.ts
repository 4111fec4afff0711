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
import { loadFromOutside, startServer } from './process.ts';
import { print, printFigure, spread } from './report.ts';

const SECONDS = 4;
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
  const load = (port: number, ratePerSecond?: number) =>
    loadFromOutside({
      host: '127.0.0.1',
      port,
      requests,
      connections: CONNECTIONS,
      seconds: SECONDS,
      ...(ratePerSecond !== undefined && { ratePerSecond }),
    });
  const measured = { nginx: [], signalbox: [], ratio: [], p50: [], p99: [], addedP99: [] } as Record<
    'nginx' | 'signalbox' | 'ratio' | 'p50' | 'p99' | 'addedP99',
    number[]
  >;
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const ofNginx = await load(ports.nginx);
    const ofGateway = await load(ports.signalbox);
    const half = ofGateway.perSecond / 2;
    const calmNginx = await load(ports.nginx, half);
    const calmGateway = await load(ports.signalbox, half);
    if (round === 0) continue;
    measured.nginx.push(ofNginx.perSecond);
    measured.signalbox.push(ofGateway.perSecond);
    measured.ratio.push(ofGateway.perSecond / ofNginx.perSecond);
    measured.p50.push(calmGateway.p50Ms - calmNginx.p50Ms);
    measured.p99.push(calmGateway.p99Ms);
    measured.addedP99.push(calmGateway.p99Ms - calmNginx.p99Ms);
  }
  printFigure('nginx split_clients', `${spread(measured.nginx, 0)} requests/s`);
  printFigure('gateway', `${spread(measured.signalbox, 0)} requests/s`);
  printFigure('gateway / nginx', spread(measured.ratio, 2));
  printFigure('added p50 at half load', `${spread(measured.p50, 2)} ms`);
  printFigure('p99 at half load', `${spread(measured.p99, 2)} ms`);
  printFigure('added p99 at half load', `${spread(measured.addedP99, 2)} ms`);
} finally {
  proxy.kill();
}
