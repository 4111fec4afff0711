import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { loadConfig } from '../../../gateway/config/load-config.ts';
import { serve } from '../../../gateway/server.ts';
import type { Server } from '../../../gateway/server.ts';
import { addingModel } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { certify } from '../certificates.ts';
import { GrpcClient } from '../faces/grpc/grpc-client.ts';
import { eventually, metricValue } from '../running-gateway.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Running {
  readonly server: Server;
  readonly folder: string;
  readonly log: string[];
}

async function start(lines: string, prepare: (folder: string) => Promise<void> = () => Promise.resolve()) {
  const folder = await temporaryFolder({
    'signalbox.yaml': `models: { repository: ./models, control: none }\n${lines}`,
    'models/simple/1/model.onnx': addingModel(1),
  });
  await prepare(folder.path);
  const log: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => log.push(line) });
  const config = await loadConfig(join(folder.path, 'signalbox.yaml'), {});
  const server = await serve(config, logger, { environment: {} });
  closing.push(
    () => server.stop(),
    async () => {
      await folder[Symbol.asyncDispose]();
    },
  );
  return { server, folder: folder.path, log } satisfies Running;
}

async function edit({ folder }: Running, change: (text: string) => string): Promise<void> {
  const file = join(folder, 'signalbox.yaml');
  await writeFile(file, change(await readFile(file, 'utf8')));
}

const LIMITED = 'listen: { http: 127.0.0.1:0 }\nlimits: { addressRate: 1000/s }\n';

test('limits and the level of the log take effect when the file is edited', async () => {
  const running = await start(LIMITED);
  const url = `http://${running.server.bound.http ?? ''}/v2`;
  expect((await fetch(url)).headers.get('ratelimit-limit')).toBe('1000');
  await edit(running, (text) => text.replace('1000/s', '1/h burst 77'));
  await eventually(async () => (await fetch(url)).headers.get('ratelimit-limit') === '77');
  await edit(running, (text) => `${text}telemetry: { logs: { level: error } }\n`);
  await running.server.reload();
  expect(running.server.gateway.log.level).toBe('error');
  const metrics = await running.server.gateway.metrics.render();
  expect(metricValue(metrics, 'signalbox_config_reloads_total', { result: 'success' })).toBe(2);
});

test.each([
  [
    'a key that needs a restart',
    (text: string) => `${text.replace('1000/s', '5/s')}server: { name: other }\n`,
    'server.name',
  ],
  [
    'a secret',
    (text: string) => `${text.replace('1000/s', '5/s')}secret: a secret that nobody may see\n`,
    '"secret"',
  ],
  ['a mistake', (text: string) => text.replace('1000/s', 'fast'), 'limits.addressRate'],
])('an edit with %s changes nothing, and says so', async (_, change, named) => {
  const running = await start(LIMITED);
  const url = `http://${running.server.bound.http ?? ''}/v2`;
  await edit(running, change);
  await running.server.reload();
  expect((await fetch(url)).headers.get('ratelimit-limit')).toBe('1000');
  expect(running.log.join('')).toContain(named);
  expect(running.log.join('')).not.toContain('nobody may see');
  // What is right again takes effect.
  await edit(
    running,
    () => `models: { repository: ./models, control: none }\n${LIMITED.replace('1000/s', '9/s')}`,
  );
  await running.server.reload();
  expect((await fetch(url)).headers.get('ratelimit-limit')).toBe('9');
});

const TLS =
  'listen: { http: 127.0.0.1:0, grpc: 127.0.0.1:0 }\n' +
  'tls: { http: { cert: a.pem, key: a.key }, grpc: { cert: a.pem, key: a.key } }\n';

function subjectShown(address = ''): Promise<string | string[] | undefined> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

test('another certificate is shown without a restart, over HTTP and gRPC, and one without its key is refused', async () => {
  const running = await start(TLS, async (folder) => {
    await certify(folder, 'a');
    await certify(folder, 'b');
  });
  const { bound, gateway } = running.server;
  const file = (name: string): string => join(running.folder, name);
  expect(await subjectShown(bound.http)).toBe('a');
  await rename(file('b.pem'), file('a.pem'));
  await running.server.reload();
  expect(await subjectShown(bound.http)).toBe('a');
  expect(running.log.join('')).toContain('a certificate was refused');
  const before = metricValue(
    await gateway.metrics.render(),
    'signalbox_certificate_expiry_timestamp_seconds',
    {
      plane: 'http',
    },
  );
  expect(before).toBeGreaterThan(Date.now() / 1000);
  await rename(file('b.key'), file('a.key'));
  await eventually(async () => (await subjectShown(bound.http)) === 'b');
  const channel = credentials.createSsl(await readFile(file('a.pem')));
  await eventually(async () => {
    using client = new GrpcClient(bound.grpc ?? '', channel);
    return await client.call('ServerLive', {}).then(
      () => true,
      () => false,
    );
  });
});
