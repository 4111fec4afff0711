import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { CryptoKey, JWK, JWTPayload } from 'jose';

/** A real OpenID Connect issuer on a free port: its configuration, its keys, and tokens it signs. */
export interface LocalIssuer extends AsyncDisposable {
  readonly url: string;
  /** Requests for its keys so far. */
  readonly keyFetches: number;
  /** A second key signs from now on; the first is published no longer. */
  rotate(): Promise<void>;
  /** Whether it answers; it fails with 500 otherwise. */
  isUp: boolean;
  sign(claims: JWTPayload, header?: Readonly<Record<string, unknown>>): Promise<string>;
}

export async function startIssuer(): Promise<LocalIssuer> {
  let serial = 0;
  let keyFetches = 0;
  let signer: CryptoKey;
  let published: JWK;
  const rotate = async (): Promise<void> => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    serial += 1;
    signer = privateKey;
    published = { ...(await exportJWK(publicKey)), kid: `key-${serial}`, alg: 'ES256', use: 'sig' };
  };
  await rotate();
  const server = createServer((request, response) => {
    const answer = (body: object): void => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    };
    if (!issuer.isUp) response.writeHead(500).end();
    else if (request.url === '/.well-known/openid-configuration')
      answer({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` });
    else if (request.url === '/keys') {
      keyFetches += 1;
      answer({ keys: [published] });
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer: LocalIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isUp: true,
    get keyFetches() {
      return keyFetches;
    },
    rotate,
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: `key-${serial}`, ...header }).sign(signer),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}
