/** `POST /models?url=https://…`: files of other servers, where the configuration allows them. */
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addingModel } from '../../models/small-models.ts';
import { torchArchive } from '../../models/zip-file.ts';
import { startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { askAdmin } from './admin-client.ts';

const ARCHIVE = torchArchive({ modelName: 'pets', serializedFile: 'net.onnx', modelVersion: '3.0' }, [
  { path: 'net.onnx', content: addingModel(5) },
]);

const asked: string[] = [];
const answer: RequestListener = ({ url = '', headers }, response) => {
  asked.push(`${url} ${headers.authorization ?? ''}`.trimEnd());
  const path = url.replace(/\?.*/, '');
  if (path === '/torch/pets.mar') response.end(ARCHIVE);
  else if (path === '/torch/plain.onnx') response.end(addingModel(7));
  else if (path === '/torch/cut.mar') {
    response.writeHead(200, { 'content-length': ARCHIVE.length });
    response.write(ARCHIVE.subarray(0, 100), () => response.destroy());
  } else if (path === '/torch/moved.mar') response.writeHead(302, { location: '/secret/pets.mar' }).end();
  else if (path === '/secret/pets.mar') response.end(ARCHIVE);
  else response.writeHead(404).end('no such file');
};
const server = createServer(answer);

let gateway: RunningGateway;
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  gateway = await startGateway({
    admin: true,
    config: `models: { repository: ./models, allowedUrls: ["${origin}/torch/"] }`,
    files: { 'models/there/1/model.onnx': addingModel(1) },
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const register = (url: string) =>
  askAdmin(gateway, `/models?${new URLSearchParams({ url }).toString()}`, { method: 'POST' });

const listing = async (): Promise<readonly string[]> =>
  (await readdir(join(gateway.folder.path, 'models'), { recursive: true })).sort();

test('an archive is fetched, becomes the version that it says, and nothing else stays of it', async () => {
  const { status, body } = await register(`${origin}/torch/pets.mar?signature=swordfish`);
  expect(status).toBe(200);
  expect(body.status).toMatch(/^Model "pets" Version: 3 registered with 1 initial workers/);
  expect(asked.at(-1)).toBe('/torch/pets.mar?signature=swordfish');
  const infer = await fetch(gateway.url('/v2/models/pets/versions/3/infer'), {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] }),
  });
  expect(await infer.json()).toMatchObject({ outputs: [{ data: [6, 7] }] });
  const top = await readdir(join(gateway.folder.path, 'models'));
  expect(top.filter((name) => name.startsWith('.'))).toEqual([]);
  // A query is often a signature.
  const { entries } = (await askAdmin(gateway, '/api/audit')).body as { entries: unknown[] };
  expect(entries.at(-1)).toMatchObject({ action: 'model.register', url: `${origin}/torch/pets.mar` });
  expect(JSON.stringify(gateway.log)).not.toContain('swordfish');
});

test('an ONNX file is named as its address ends', async () => {
  expect((await register(`${origin}/torch/plain.onnx`)).body).toEqual({
    status: 'Model "plain" Version: 1 registered with 1 initial workers',
  });
});

test.each([
  ['/secret/pets.mar', 400, /begins with none of models.allowedUrls/],
  ['/torch/../secret/pets.mar', 400, /secret\/pets.mar", which begins with none of models.allowedUrls/],
  ['/torch/%2e%2e%2fsecret/pets.mar', 400, /begins with none/],
  ['/torch/nothing.mar', 404, /answers with status 404$/],
  ['/torch/moved.mar', 404, /answers with status 302, a redirect, and none is followed$/],
  ['/torch/pets.zip', 400, /names neither an ONNX model \(.onnx\) nor an archive/],
  ['/torch/cut.mar', 500, /torch\/cut.mar can't be fetched: /],
])('%s is refused with %i, and leaves nothing behind', async (path, status, message) => {
  const before = await listing();
  const answered = await register(origin + path);
  expect(answered).toMatchObject({ status, body: { message: expect.stringMatching(message) as string } });
  expect(await listing()).toEqual(before);
  expect(asked).not.toContain('/secret/pets.mar');
});

test('without models.allowedUrls nothing is fetched', async () => {
  await using closed = await startGateway({
    admin: true,
    files: { 'models/there/1/model.onnx': addingModel(1) },
  });
  const before = asked.length;
  const url = encodeURIComponent(`${origin}/torch/pets.mar`);
  expect((await askAdmin(closed, `/models?url=${url}`, { method: 'POST' })).status).toBe(400);
  expect(asked).toHaveLength(before);
});
