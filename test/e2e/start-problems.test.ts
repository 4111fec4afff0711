import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { experimentFile } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { signalbox } from './cli.ts';

async function takenPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => server.close() };
}

test.each([
  ['under its parent', []],
  ['in one process', ['--no-supervisor']],
])('all that keeps it from starting is told at once, %s', async (_, options) => {
  using http = await takenPort();
  using admin = await takenPort();
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      `listen: { http: "127.0.0.1:${http.port}", grpc: "127.0.0.1:0", admin: "127.0.0.1:${admin.port}" }\n` +
      'models: { repository: ./models }\nexperiments: ./experiments\nauth: { keys: ./keys.yaml }\n' +
      'tls: { grpc: { cert: ./none.pem, key: ./none.key } }\n',
    'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
    'experiments/a.yaml': experimentFile({ model: 'nobody' }),
    'experiments/b.yaml': experimentFile({ key: 'b', status: 'begun' }),
    'keys.yaml': 'keys: [{ id: a }]\n',
  });
  await using server = signalbox('serve', ...options, '--config', join(folder.path, 'signalbox.yaml'));
  expect(await server.ended).toBe(1);
  const told = server.stderr();
  for (const problem of [
    new RegExp(
      `signalbox\\.yaml:1:17: listen\\.http: listen EADDRINUSE 127\\.0\\.0\\.1:${http.port}: another process`,
    ),
    new RegExp(
      `signalbox\\.yaml:1:\\d+: listen\\.admin: listen EADDRINUSE 127\\.0\\.0\\.1:${admin.port}: another process`,
    ),
    /tls\.grpc\.cert: .*none\.pem can't be read/,
    /keys\.yaml:\d+:\d+: keys\[0\]/,
    /a\.yaml:\d+:\d+: model: .*nobody/,
    /b\.yaml:\d+:\d+: status: .*begun/,
  ])
    expect(told).toMatch(problem);
  const [, count] = /^(\d+) problems; nothing was started$/m.exec(told) ?? [];
  expect(Number(count)).toBe(told.trim().split('\n').length - 1);
  expect(server.stdout()).toBe('');
});

test('validate tells what would keep it from starting too: keys and certificates that are missing, and two planes in one place', async () => {
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: "127.0.0.1:8000", grpc: "127.0.0.1:8001", admin: "0.0.0.0:8000" }\n' +
      'models: { repository: ./models }\nauth: { keys: ./keys.yaml }\n' +
      'tls: { grpc: { cert: ./none.pem, key: ./none.key } }\n',
    'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
  });
  await using command = signalbox('validate', join(folder.path, 'signalbox.yaml'));
  expect(await command.ended).toBe(1);
  const told = command.stdout();
  expect(told).toMatch(
    /signalbox\.yaml:1:\d+: listen\.admin: is 0\.0\.0\.0:8000, where listen\.http is; give each/,
  );
  expect(told).toMatch(/tls\.grpc\.cert: .*none\.pem can't be read/);
  expect(told).toMatch(/keys\.yaml/);
  expect(told).toMatch(/^3 problems$/m);
});

test.each([
  ['serve', ['serve', '--config'], '2 problems; nothing was started'],
  ['validate', ['validate'], '2 problems'],
])('%s tells of folders that are not there at their keys', async (_, command, summary) => {
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: "127.0.0.1:0" }\nmodels: { repository: ./modles }\nexperiments: ./experimnets\n',
  });
  const file = join(folder.path, 'signalbox.yaml');
  await using running = signalbox(...command, file);
  expect(await running.ended).toBe(1);
  const lines = `${running.stdout()}${running.stderr()}`.trim().split('\n');
  expect(lines.filter((line) => !line.startsWith('{'))).toEqual([
    expect.stringContaining(
      `${file}:2:23: models.repository: is ${join(folder.path, 'modles')}, which can't be read: ENOENT`,
    ),
    expect.stringContaining(
      `${file}:3:14: experiments: is ${join(folder.path, 'experimnets')}, which can't be read: ENOENT`,
    ),
    summary,
  ]);
});
