import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import { BODY } from '../upstream/upstream-gateway.ts';
import { startIssuer } from './local-issuer.ts';

test('a caller that hangs up while its token is checked leaves no call under way, and none of its body counted', async () => {
  await using issuer = await startIssuer();
  const asked = Promise.withResolvers<undefined>();
  const gate = Promise.withResolvers<undefined>();
  // The issuer's keys, which come when the test says so.
  const keys = createServer((request, response) => {
    asked.resolve(undefined);
    void gate.promise
      .then(() => fetch(`${issuer.url}${request.url ?? ''}`))
      .then(async (answer) =>
        response.setHeader('content-type', 'application/json').end(await answer.text()),
      );
  });
  await once(keys.listen(0, '127.0.0.1'), 'listening');
  const jwks = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/keys`;
  const jwt = JSON.stringify({ issuer: issuer.url, audience: 'signalbox', jwks });
  await using gateway = await startGateway({
    config: `auth: { jwt: ${jwt} }\nlimits: { keyConcurrency: 1 }`,
    files: { 'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]) },
  });
  const exp = Math.floor(Date.now() / 1000) + 600;
  const token = await issuer.sign({ iss: issuer.url, aud: 'signalbox', sub: 'ada', scope: 'infer', exp });

  const target = new URL(gateway.url('/'));
  const socket = connect(Number(target.port), target.hostname);
  socket.write(
    'POST /v2/models/digits/infer HTTP/1.1\r\nHost: gateway\r\nContent-Length: 40000000\r\n' +
      `Authorization: Bearer ${token}\r\n\r\n{`,
  );
  await asked.promise;
  const { admission, bodies } = gateway.server.gateway.door;
  socket.destroy();
  // The gateway has seen that it is gone when a call that came later is answered.
  await fetch(gateway.url('/health'));
  gate.resolve(undefined);

  const headers = { authorization: `Bearer ${token}` };
  const post = (): Promise<Response> =>
    fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body: BODY, headers });
  await eventually(async () => (await post()).status === 200);
  expect(admission.isOpen).toBe(false);
  expect(bodies.usedBytes).toBe(0);
  keys.closeAllConnections();
  keys.close();
});
