import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { certify } from '../gateway/certificates.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

test('with tls.admin.ca the control plane answers nobody without a certificate of theirs, and the data plane asks for none', async () => {
  await using certificates = await temporaryFolder({});
  for (const name of ['server', 'operator', 'stranger']) await certify(certificates.path, name);
  const file = (name: string): string => JSON.stringify(join(certificates.path, name));
  const shown = `cert: ${file('server.pem')}, key: ${file('server.key')}`;
  await using gateway = await startGateway({
    admin: true,
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]) },
    config: `tls: { http: { ${shown} }, admin: { ${shown}, ca: ${file('operator.pem')} } }\n`,
  });
  const pem = (name: string): Promise<Buffer> => readFile(join(certificates.path, name));
  const ca = await pem('server.pem');
  const ask = (address: string | undefined, path: string, client?: { cert: Buffer; key: Buffer }) =>
    new Promise<number | undefined>((resolve, reject) => {
      get(`https://${address ?? ''}${path}`, { ca, ...client }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
  const of = async (name: string) => ({ cert: await pem(`${name}.pem`), key: await pem(`${name}.key`) });
  const { http, admin } = gateway.server.bound;
  expect(await ask(admin, '/api/models', await of('operator'))).toBe(200);
  await expect(ask(admin, '/api/models')).rejects.toThrow();
  await expect(ask(admin, '/api/models', await of('stranger'))).rejects.toThrow();
  await expect(ask(admin, '/health')).rejects.toThrow();
  expect(await ask(http, '/v2')).toBe(200);
});
