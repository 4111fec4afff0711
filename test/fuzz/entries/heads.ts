import { connect } from 'node:net';
import type { Entry } from '../entry.ts';
import { ACCEPTED } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { gatewayFor } from '../fuzzed-gateway.ts';

/** Long for an answer, and short for a caller who says nothing more. */
const IDLE_MS = 500;

const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});

function request(head: string, body = BODY): Buffer {
  return Buffer.from(`${head.trim().split('\n').join('\r\n')}\r\n\r\n${body}`);
}

/** Whole requests as bytes: request lines, headers, chunks. */
export const httpHeads: Entry = {
  name: 'http-heads',
  async open(shared) {
    const { gateway, release } = await gatewayFor(shared);
    const colon = gateway.addresses.http.lastIndexOf(':');
    const [host, port] = [
      gateway.addresses.http.slice(0, colon),
      Number(gateway.addresses.http.slice(colon + 1)),
    ];
    /** All that comes back until the connection ends. What waits for more than was sent is hung up on. */
    const exchange = (input: Buffer): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect({ host, port });
        const chunks: Buffer[] = [];
        socket.setTimeout(IDLE_MS, () => socket.destroy());
        socket.on('data', (chunk) => chunks.push(chunk));
        socket.on('error', () => undefined);
        socket.on('close', () => {
          resolve(Buffer.concat(chunks).toString('latin1'));
        });
        socket.write(input);
      });
    let calls = 0;
    return {
      seeds: [
        request(
          `POST /v2/models/simple/infer HTTP/1.1\nHost: a\nContent-Length: ${BODY.length}\nX-User-Id: ada\nConnection: close`,
        ),
        request(
          `POST /v2/models/simple/infer?a=b HTTP/1.1\nHost: a\nAccept-Encoding: gzip;q=0.5, deflate\nContent-Type: application/json\nContent-Length: ${BODY.length}\nAuthorization: Bearer x\nConnection: close`,
        ),
        request(
          'POST /v2/models/simple/infer HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nConnection: close',
          `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
        ),
        request(
          'GET /v2/models/simple/versions/1/config HTTP/1.1\nHost: a\nCookie: a=b; c="d"\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nConnection: close',
          '',
        ),
      ],
      tokens: [
        'Content-Length: 0\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Expect: 100-continue\r\n',
        'Upgrade: h2c\r\n',
        'Inference-Header-Content-Length: 5\r\n',
        'X-Experiment: simple=v1;simple=v2\r\n',
        'X-User-Id: \u00e4\r\n',
        'Content-Encoding: gzip\r\n',
        '%00',
        '%2e%2e/',
        '/v2/repository/index',
        '/predict',
        '\r\n\r\n',
        ' HTTP/1.0',
        'HEAD ',
        'PUT ',
        'OPTIONS ',
        '?',
        ';',
        ',',
        '\u0000',
      ],
      // Most of them wait for what never comes.
      concurrency: 200,
      async attempt(input): Promise<Verdict> {
        const [answer, wrong] = await Promise.all([
          exchange(input),
          calls++ % 8 === 0 ? gateway.checkCanary() : undefined,
        ]);
        if (wrong !== undefined) return { kind: 'finding', reason: wrong };
        if (gateway.end !== undefined) return { kind: 'finding', reason: gateway.end };
        const statuses = [...answer.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)].map(([, code]) => Number(code));
        const [first] = statuses;
        if (statuses.some((code) => code >= 500 && code !== 501 && code !== 503))
          return { kind: 'finding', reason: `answered ${statuses.join()}: ${answer.slice(0, 500)}` };
        if (first === undefined) return { kind: 'refused', as: 'hung up' };
        return first < 300 ? ACCEPTED : { kind: 'refused', as: String(first) };
      },
      memoryBytes: () => gateway.memoryBytes(),
      [Symbol.asyncDispose]: release,
    };
  },
};
