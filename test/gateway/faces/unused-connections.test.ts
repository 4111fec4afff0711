import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { MEASURED_FILES } from './predictions.ts';
import { startGateway } from '../running-gateway.ts';

test('a connection that nothing was asked on, as browsers open them ahead, keeps no gateway from stopping', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  const [host = '', port = ''] = (gateway.server.bound.admin ?? '').split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  // Node by itself would wait for its headers, ten seconds at the least.
  const drainMs = 9000;
  expect(await gateway.server.stop(0, drainMs)).toBe(true);
  await closed;
});

test('one that was asked on is answered, though it was open before', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  const [host = '', port = ''] = (gateway.server.bound.admin ?? '').split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  const stopped = gateway.server.stop();
  socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 503 /);
  expect(await stopped).toBe(true);
});
