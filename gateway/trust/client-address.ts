import { isIP } from 'node:net';

/**
 * The address of whoever calls, behind proxies of one's own. Each of them writes the address that it was called from to the end of
 * X-Forwarded-For, so the entry as many from the end as there are proxies is what the outermost of them saw. What stands before it is
 * what a caller says of itself, and nobody believes.
 *
 * @param peer the address at the other end of the connection
 * @param forwardedFor the header's value, its lines joined in their order
 * @param hops the proxies that a call passes; 0: the header says nothing
 * @returns the peer where the entry is no address
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, hops: number): string {
  if (hops === 0 || forwardedFor === undefined) return peer;
  const entries = forwardedFor.split(',');
  return addressIn(entries[Math.max(0, entries.length - hops)] ?? '') ?? peer;
}

/** Some proxies write a port behind the address, and brackets around an IPv6 one. */
const WITH_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|(\d{1,3}(?:\.\d{1,3}){3}))(?::\d{1,5})?$/;

function addressIn(entry: string): string | undefined {
  const text = entry.trim();
  const [, six, four] = WITH_PORT.exec(text) ?? [];
  const address = six ?? four ?? text;
  return isIP(address) === 0 ? undefined : address;
}
