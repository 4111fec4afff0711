import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { bindSockets } from '../../../gateway/supervisor/bound-socket.ts';

describe.skipIf(process.platform === 'win32')('a bound socket', () => {
  test('is listened on by its descriptor, and what came before an accept is accepted', async () => {
    const [socket] = await bindSockets({ host: '127.0.0.1', port: 0 });
    if (socket === undefined) throw new Error('nothing was bound');
    const server = createServer((connection) => connection.end('hello'));
    server.listen({ fd: socket.fd });
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [chunk] = (await once(client, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('hello');
    server.close();
  });

  test('of a name with two addresses has one port', async () => {
    const sockets = await bindSockets({ host: 'localhost', port: 0 });
    expect(new Set(sockets.map(({ port }) => port)).size).toBe(1);
    for (const socket of sockets) socket.close();
  });

  test('of an address in use is refused with the address', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(bindSockets({ host: '127.0.0.1', port })).rejects.toThrow(
      `listen EADDRINUSE 127.0.0.1:${port}: another process listens there`,
    );
    server.close();
  });

  test('of an address that this machine has not is refused with the address', async () => {
    await expect(bindSockets({ host: '192.0.2.1', port: 8000 })).rejects.toThrow(
      'listen EADDRNOTAVAIL 192.0.2.1:8000',
    );
  });
});
