import { GatewayError } from '../../errors.ts';

/** Where a call came from. */
export interface Peer {
  /** The address of the other end of the connection; undefined when it is closed. */
  readonly address: string | undefined;
  /** Whether a proxy says that it passes on somebody else's call. */
  readonly isForwarded: boolean;
}

/**
 * Lets a call change what the gateway does. There are no keys, so only callers on the machine itself may.
 *
 * @param what the path or method, as messages name it
 * @throws GatewayError `control_is_local`
 */
export function requireControl(peer: Peer, what: string): void {
  if (!peer.isForwarded && peer.address !== undefined && LOOPBACK.test(peer.address)) return;
  throw new GatewayError(
    'control_is_local',
    `${what} is control: without keys it answers on loopback only, and this call came from ` +
      (peer.isForwarded ? 'a proxy' : (peer.address ?? 'a closed connection')),
  );
}

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;
