import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { Address } from '../config/config.ts';

/** A socket that is bound to its address, and on which this process accepts nothing. */
export interface BoundSocket {
  readonly fd: number;
  readonly port: number;
  close(): void;
}

/** What Node calls a socket of its own; `node:net` and `node:cluster` make theirs with the same function. */
interface Handle {
  readonly fd: number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

type CreateHandle = (address: string, port: number, family: number) => Handle | number;

/**
 * Binds the sockets of one address, for other processes to listen on: as long as this one holds them, connections that arrive
 * while nobody accepts wait in the kernel's queue.
 *
 * `localhost` is both of its addresses, where there are two.
 *
 * @throws Error where the address can't be bound
 */
export async function bindSockets({ host, port }: Address): Promise<readonly BoundSocket[]> {
  const found = await lookup(host, { all: true });
  const [first, ...others] = host === 'localhost' ? found : found.slice(0, 1);
  if (first === undefined) throw new Error(`listen: there is no address of ${host}`);
  const main = bind(first.address, port, first.family);
  const sockets: BoundSocket[] = [main];
  for (const { address, family } of others) {
    try {
      sockets.push(bind(address, main.port, family));
    } catch {
      // A machine may name ::1 without having IPv6; the first address is the one that was promised.
    }
  }
  return sockets;
}

function bind(address: string, port: number, family: number): BoundSocket {
  const handle = createHandle()(address, port, family);
  if (typeof handle === 'number') throw refused(handle, address, port);
  const name: { port?: number } = {};
  // An address in use shows at the first question only.
  const code = handle.getsockname(name);
  if (code !== 0) {
    handle.close();
    throw refused(code, address, port);
  }
  return {
    fd: handle.fd,
    port: name.port ?? port,
    close() {
      handle.close();
    },
  };
}

/** Everything public in `node:net` that binds accepts connections too, so that they would end here and not be served. */
function createHandle(): CreateHandle {
  const create: unknown = Reflect.get(net, '_createServerHandle');
  if (typeof create !== 'function') {
    throw new Error(`Node ${process.version} can't bind a socket for another process; use --no-supervisor`);
  }
  return create as CreateHandle;
}

function refused(code: number, address: string, port: number): Error {
  const name = getSystemErrorName(code);
  const hint = name === 'EADDRINUSE' ? ': another process listens there' : '';
  return new Error(`listen ${name} ${address.includes(':') ? `[${address}]` : address}:${port}${hint}`);
}
