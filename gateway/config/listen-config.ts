import { isIPv6 } from 'node:net';
import type { Address, Config } from './config.ts';
import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';

/** The planes' addresses. */
export function readListen({ listen }: ConfigText, refuse: Refuse): Config['listen'] {
  const address = (plane: keyof Config['listen']): Address | undefined => {
    const text = listen[plane];
    return text === undefined ? undefined : readAddress(plane, text, refuse);
  };
  return {
    http: readAddress('http', listen.http, refuse),
    grpc: address('grpc'),
    metrics: address('metrics'),
    admin: address('admin'),
  };
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
