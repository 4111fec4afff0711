import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../e2e/cli.ts';
import { certify } from '../gateway/certificates.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

const MAIN = 'gateway/cli/main.ts';

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

  const command = async (more: NodeJS.ProcessEnv) => {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(certificates.path, 'server.pem'), ...more };
    await using running = run(
      process.execPath,
      [MAIN, 'status', '--json', '--admin', `https://${admin ?? ''}`],
      env,
    );
    return [await running.ended, running.stdout(), running.stderr()] as const;
  };
  const path = (name: string): string => join(certificates.path, name);
  const operator = { SIGNALBOX_CERT: path('operator.pem'), SIGNALBOX_CERT_KEY: path('operator.key') };
  expect(await command(operator)).toEqual([0, expect.stringContaining('[]'), '']);
  const asked = expect.stringMatching(/asks for a certificate of its issuers .*set SIGNALBOX_CERT/) as string;
  expect(await command({})).toEqual([1, '', asked]);
  const stranger = { SIGNALBOX_CERT: path('stranger.pem'), SIGNALBOX_CERT_KEY: path('stranger.key') };
  expect(await command(stranger)).toEqual([1, '', asked]);
  const mixed = { ...operator, SIGNALBOX_CERT_KEY: path('stranger.key') };
  expect(await command(mixed)).toEqual([1, '', expect.stringContaining('stranger.key is not its key')]);
  const missing = { SIGNALBOX_CERT: path('nobody.pem') };
  expect(await command(missing)).toEqual([
    1,
    '',
    expect.stringMatching(/SIGNALBOX_CERT: .*nobody\.pem can't be read/),
  ]);
});
