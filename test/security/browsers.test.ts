/** What a browser is told, so that no page of another site can use or frame what is answered. */
import { get } from 'node:https';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { certify } from '../gateway/certificates.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

const files = { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]) };

test('no answer of the data plane is to be taken for a page, errors included', async () => {
  await using gateway = await startGateway({ files });
  for (const path of ['/v2', '/v2/models/<script>', '/nothing', '/v2/health/live']) {
    const { headers } = await fetch(gateway.url(path));
    expect([path, headers.get('x-content-type-options')]).toEqual([path, 'nosniff']);
    expect(headers.get('strict-transport-security')).toBeNull();
    expect(headers.get('content-type') ?? '').not.toContain('html');
  }
});

test('the control plane is framed by nobody, kept by nobody, and its data runs nothing', async () => {
  await using gateway = await startGateway({ files, admin: true });
  const admin = `http://${gateway.server.bound.admin ?? ''}`;
  for (const path of ['/api/models', '/api/nothing', '/models', '/health']) {
    const { headers } = await fetch(admin + path);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'") as string,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  }
  const page = await fetch(`${admin}/console/`);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
  expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');
});

test('over TLS browsers are told to come over TLS from then on', async () => {
  await using certificates = await temporaryFolder({});
  await certify(certificates.path, 'server');
  const file = (name: string): string => JSON.stringify(join(certificates.path, name));
  const tls = `{ cert: ${file('server.pem')}, key: ${file('server.key')} }`;
  await using gateway = await startGateway({
    files,
    admin: true,
    config: `tls: { http: ${tls}, admin: ${tls} }\n`,
  });
  for (const address of [gateway.server.bound.http, gateway.server.bound.admin]) {
    const told = await new Promise((resolve, reject) => {
      get(`https://${address ?? ''}/health`, { rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.headers['strict-transport-security']);
      }).on('error', reject);
    });
    expect(told).toBe('max-age=31536000');
  }
});

test('no other site is told that it may read an answer', async () => {
  await using gateway = await startGateway({ files, admin: true });
  for (const url of [gateway.url('/v2'), `http://${gateway.server.bound.admin ?? ''}/api/models`]) {
    const origin = 'https://elsewhere.example';
    const simple = await fetch(url, { headers: { origin } });
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-api-key',
      },
    });
    expect(preflight.status).toBe(405);
    for (const { headers } of [simple, preflight])
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  }
});
