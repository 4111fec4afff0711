import { expect, test } from 'vitest';
import { identityModel } from '../models/onnx-graph.ts';
import { send } from '../security/raw-socket.ts';
import { startGateway } from './running-gateway.ts';

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });

function post(path: string, expectation: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: ${expectation}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
}

const LAST = 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

test('what a caller expects that can not be met is an error in its path’s form, and its connection goes on', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]) },
  });
  const { http = '', admin = '' } = gateway.server.bound;
  const ask = async (address: string, request: string) => {
    const { statuses, text } = await send(address, request + LAST);
    return [statuses, JSON.parse(/^\{.*\}/m.exec(text)?.[0] ?? '') as unknown];
  };
  const message = "Expect is 'a-tip', which can't be met; only 100-continue can";
  const infer = '/v2/models/simple/infer';
  expect(await ask(http, post(infer, 'a-tip'))).toEqual([[417, 200], { error: message }]);
  expect(await ask(http, post('/nothing', 'a-tip'))).toEqual([[417, 200], { error: message }]);
  expect(await ask(admin, post('/api/models', 'a-tip'))).toEqual([[417, 200], { error: message }]);
  expect(await ask(http, post('/predictions/simple', 'a-tip'))).toEqual([
    [417, 200],
    { code: 417, type: 'BadRequestException', message },
  ]);
  for (const met of ['100-continue', '100-Continue'])
    expect((await ask(http, post(infer, met)))[0]).toEqual([100, 200, 200]);
});
