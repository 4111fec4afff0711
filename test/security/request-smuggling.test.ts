/** What one server could take for one request and another for two, over sockets to a running gateway. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certify } from '../gateway/certificates.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';
import { send } from './raw-socket.ts';

const files = { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]) };

let plain: RunningGateway;
let encrypted: RunningGateway;
let certificates: TemporaryFolder;
beforeAll(async () => {
  certificates = await temporaryFolder({});
  await certify(certificates.path, 'server');
  const file = (name: string): string => JSON.stringify(join(certificates.path, name));
  plain = await startGateway({ files });
  encrypted = await startGateway({
    files,
    config: `tls: { http: { cert: ${file('server.pem')}, key: ${file('server.key')} } }\n`,
  });
});
afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await encrypted[Symbol.asyncDispose]();
  await certificates[Symbol.asyncDispose]();
});

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
/** What is to be taken for a request of its own by a server that is misled. */
const HIDDEN = 'GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n';

/** A head with further lines, and then a body with the hidden request behind it. */
function post(lines: readonly string[], body = BODY, version = '1.1'): string {
  return (
    [`POST /v2/models/simple/infer HTTP/${version}`, 'Host: a', ...lines, '', body].join('\r\n') + HIDDEN
  );
}

const LENGTH = `Content-Length: ${BODY.length}`;

const SHAPES: Readonly<Record<string, string>> = {
  'Content-Length and Transfer-Encoding': post([LENGTH, 'Transfer-Encoding: chunked'], CHUNKED),
  'Transfer-Encoding and Content-Length': post(['Transfer-Encoding: chunked', LENGTH], CHUNKED),
  'two lengths that differ': post([LENGTH, `Content-Length: ${BODY.length + HIDDEN.length}`]),
  'the same length twice': post([LENGTH, LENGTH]),
  'a list of lengths': post([`${LENGTH}, ${BODY.length}`]),
  'a length with a sign': post([`Content-Length: +${BODY.length}`]),
  'a negative length': post(['Content-Length: -1']),
  'a length beyond 64 bits': post([`Content-Length: ${2n ** 64n + BigInt(BODY.length)}`]),
  'an empty length': post(['Content-Length: ']),
  'a coding that is almost chunked': post(['Transfer-Encoding: xchunked'], CHUNKED),
  'a coding with a control character': post(['Transfer-Encoding: \x0bchunked'], CHUNKED),
  'chunked twice': post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], CHUNKED),
  'chunked, and something after it': post(['Transfer-Encoding: chunked, identity'], CHUNKED),
  'identity, which is no coding any more': post(['Transfer-Encoding: identity', LENGTH]),
  'an empty coding': post(['Transfer-Encoding: ', LENGTH]),
  'another coding before chunked': post(['Transfer-Encoding: gzip, chunked'], CHUNKED),
  'a space before the colon': post(['Transfer-Encoding : chunked'], CHUNKED),
  'a coding in a folded line': post(['Transfer-Encoding:', ' chunked'], CHUNKED),
  'a folded header': post(['X-A: b', ' c', LENGTH]),
  'a coding with an underscore': post(['Transfer_Encoding: chunked', LENGTH]),
  'a length with an underscore': post(['Content_Length: 0', LENGTH]),
  'a coding in HTTP/1.0': post(['Transfer-Encoding: chunked'], CHUNKED, '1.0'),
  'HTTP/0.9': `GET /v2\r\n\r\n${HIDDEN}`,
  'HTTP/2.0 over HTTP/1': `GET /v2 HTTP/2.0\r\nHost: a\r\n\r\n${HIDDEN}`,
  'lines that end in LF': post([LENGTH]).replaceAll('\r\n', '\n'),
  'one line that ends in LF': post([`X-A: b\n${LENGTH}`]),
  'a CR within a line': post([`X-A: b\rTransfer-Encoding: chunked`, LENGTH]),
  'NUL within a header': post(['X-A: a\x00b', LENGTH]),
  'a space within a name': post(['X A: b', LENGTH]),
  'a space before the first header': `GET /v2 HTTP/1.1\r\n Host: a\r\n\r\n${HIDDEN}`,
  'a chunk that ends in LF': post(['Transfer-Encoding: chunked'], CHUNKED.replaceAll('\r\n', '\n')),
  'a chunk size in the manner of C': post(['Transfer-Encoding: chunked'], `0x${CHUNKED}`),
  'a chunk size with a space': post(['Transfer-Encoding: chunked'], CHUNKED.replace('\r\n', ' \r\n')),
  'a chunk size beyond 64 bits': post(['Transfer-Encoding: chunked'], `fffffffffffffffff\r\n${BODY}`),
  'a chunk longer than it says': post(['Transfer-Encoding: chunked'], `3\r\n${BODY}\r\n0\r\n\r\n`),
  'a chunk extension that ends in LF': post(['Transfer-Encoding: chunked'], CHUNKED.replace('\r\n', ';a\n')),
  'no Host': `GET /v2 HTTP/1.1\r\n\r\n${HIDDEN}`,
  'two Hosts': `GET /v2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${HIDDEN}`,
  'a Host that is none': `GET /v2 HTTP/1.1\r\nHost: a b/@\r\n\r\n${HIDDEN}`,
  'a target with another host than Host': `GET http://b/v2 HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
  'a target with what stays with the caller': `GET /v2#/elsewhere HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
  'a target that is no path': `GET v2 HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
};

describe.each([
  ['without TLS', false],
  ['over TLS', true],
])('%s, what could be read in two ways is refused and hung up on', (_, isEncrypted) => {
  const addressOf = (): string => (isEncrypted ? encrypted : plain).server.bound.http ?? '';

  test.each(Object.entries(SHAPES))('%s', async (_name, bytes) => {
    const { statuses, text } = await send(addressOf(), bytes, isEncrypted);
    expect(statuses).toEqual([400]);
    expect(text).toMatch(/^connection: close\r$/im);
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toEqual({
      error: expect.stringMatching(/./) as string,
    });
  });

  test.each([
    ['with a length', [LENGTH], BODY],
    ['in chunks', ['Transfer-Encoding: chunked'], CHUNKED],
    ['in chunks, in capitals', ['TRANSFER-ENCODING: CHUNKED'], CHUNKED],
  ])('what is as it should be is answered, and the next request too: %s', async (_name, lines, body) => {
    const bytes = post(lines, body).replace(
      HIDDEN,
      HIDDEN.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    );
    expect((await send(addressOf(), bytes, isEncrypted)).statuses).toEqual([200, 200]);
  });

  test('a request for another server by way of this one is refused', async () => {
    const { statuses, text } = await send(
      addressOf(),
      'CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n',
      isEncrypted,
    );
    expect([statuses, text]).toEqual([[], '']);
  });

  test('headers without end are refused, with the size that is taken', async () => {
    const { statuses, text } = await send(
      addressOf(),
      `GET /v2 HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(32_768)}`,
      isEncrypted,
    );
    expect(statuses).toEqual([431]);
    expect(text).toContain('16 KiB');
  });
});
