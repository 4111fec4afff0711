import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** All that came back on a connection of its own until the other side closed it. */
export interface Exchange {
  /** Of each answer, in their order. */
  readonly statuses: readonly number[];
  readonly text: string;
  readonly ms: number;
}

/** Opens a connection. @param address `host:port` */
export function open(address: string, isEncrypted = false): Socket {
  const colon = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
  const options = { host, port };
  return isEncrypted
    ? connectTls({ ...options, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    : connect({ ...options, allowHalfOpen: true });
}

/** What comes until the other side closes. */
export function untilClosed(socket: Socket): Promise<Exchange> {
  const startMs = performance.now();
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => (text += chunk));
  return new Promise((resolve) => {
    const done = (): void => {
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ statuses, text, ms: performance.now() - startMs });
      socket.destroy();
    };
    socket.on('error', done).on('end', done).on('close', done);
  });
}

/** Sends bytes as they are, and waits until the other side has closed. */
export function send(address: string, bytes: string | Uint8Array, isEncrypted = false): Promise<Exchange> {
  const socket = open(address, isEncrypted);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return untilClosed(socket);
}
