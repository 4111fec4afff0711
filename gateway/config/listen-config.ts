import { isIPv6 } from 'node:net';
import type { Address, Config } from './config.ts';
import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';

/** The planes' addresses; two planes in one place are refused. */
export function readListen({ listen }: ConfigText, refuse: Refuse): Config['listen'] {
  const address = (plane: keyof Config['listen']): Address | undefined => {
    const text = listen[plane];
    return text === undefined ? undefined : readAddress(plane, text, refuse);
  };
  const planes = {
    http: readAddress('http', listen.http, refuse),
    grpc: address('grpc'),
    metrics: address('metrics'),
    admin: address('admin'),
  };
  refuseShared(planes, refuse);
  return planes;
}

function readAddress(plane: keyof Config['listen'], text: string, refuse: Refuse): Address {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (port > 65_535) refuse(['listen', plane], `has port ${port}; the highest is 65535`);
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
  if (text.startsWith('[') && !isIPv6(host))
    refuse(['listen', plane], `has ${host}, which is no IPv6 address`);
  return { host, port };
}

function refuseShared(listen: Config['listen'], refuse: Refuse): void {
  const planes = Object.entries(listen).flatMap(([plane, address]) =>
    address === undefined ? [] : [{ plane, address }],
  );
  for (const [index, { plane, address }] of planes.entries()) {
    const first = planes.slice(0, index).find((other) => overlap(other.address, address));
    if (first === undefined) continue;
    refuse(
      ['listen', plane],
      `is ${address.host}:${address.port}, where listen.${first.plane} is; give each a port of its own`,
    );
  }
}

/** Port 0 is a free one, another each time. */
function overlap(one: Address, other: Address): boolean {
  if (one.port === 0 || one.port !== other.port) return false;
  return one.host === other.host || [one, other].some(({ host }) => ANY.has(host));
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
