/**
 * The OWASP API Security Top 10 (2023), item by item, over HTTP against one running gateway. `docs/security.md` has the table; what takes more than a
 * test or two stands in files of its own beside this one.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildAdminPlane, buildDataPlane } from '../../gateway/app.ts';
import { createKey } from '../../gateway/trust/api-key.ts';
import type { NewKey } from '../../gateway/trust/api-key.ts';
import { MEASURED_FILES } from '../gateway/faces/predictions.ts';
import { keysYaml } from '../gateway/keys-yaml.ts';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';

const keys = {
  caller: createKey(),
  narrow: createKey(),
  reader: createKey(),
  operator: createKey(),
  narrowOperator: createKey(),
} as const satisfies Record<string, NewKey>;

let gateway: RunningGateway;
/** Counts the calls that something in the gateway makes to it. */
let elsewhere: { readonly url: string; readonly calls: string[]; close(): void };
beforeAll(async () => {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (request.url === '/v2/models/inside/infer') {
      response.writeHead(307, { location: '/v2/models/secret/infer' }).end();
    } else response.end('{"outputs":[]}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  elsewhere = {
    url,
    calls,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  gateway = await startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }\nsecret: a secret of this test, long enough\n',
    files: {
      ...MEASURED_FILES,
      'models/other/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/away.yaml': experimentFile({
        key: 'away-test',
        model: 'away',
        variants: [
          { name: 'v1', weight: 1, upstream: { url, model: 'inside', health: { path: '/health' } } },
        ],
      }),
      'keys.yaml': keysYaml(
        [keys.caller, 'scopes: [infer, outcomes]'],
        [keys.narrow, 'scopes: [infer], models: [other]'],
        [keys.reader, 'scopes: ["admin:read"]'],
        [keys.operator, 'scopes: ["admin:read", "admin:write"]'],
        [keys.narrowOperator, 'scopes: ["admin:read", "admin:write"], models: [other]'],
      ),
    },
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  elsewhere.close();
});

const BODY = { inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] };

interface Request {
  readonly body?: object;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whatever the path is. */
  readonly onAdmin?: boolean;
}

async function ask(
  path: string,
  key: NewKey | undefined,
  { body, method = body === undefined ? 'GET' : 'POST', headers = {}, onAdmin = false }: Request = {},
) {
  const base =
    onAdmin || /^\/(api|models)/.test(path) ? `http://${gateway.server.bound.admin ?? ''}` : gateway.url('');
  const response = await fetch(base + path, {
    method,
    headers: {
      ...(key !== undefined && { 'x-api-key': key.text }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, header: (name: string) => response.headers.get(name) };
}

interface Route {
  readonly method: string;
  readonly path: string;
  readonly scope: string;
}

/** Every route that an application registers, with names in the place of its parameters. */
async function routesOf(build: (gateway: RunningGateway['server']['gateway']) => Promise<FastifyInstance>) {
  const routes: Route[] = [];
  const onStart = (message: unknown): void => {
    const { fastify } = message as { readonly fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url, config }) => {
      const path = url.replace(/:(\w+)/g, (_, name: string) => NAMES[name] ?? 'a');
      for (const one of [method].flat()) {
        // No client sends these two as a request.
        if (one !== 'TRACE' && one !== 'CONNECT')
          routes.push({ method: one, path, scope: String(config?.scope) });
      }
    });
  };
  subscribe('fastify.initialization', onStart);
  const app = await build(gateway.server.gateway);
  await app.ready();
  unsubscribe('fastify.initialization', onStart);
  await app.close();
  return routes;
}

const NAMES: Readonly<Partial<Record<string, string>>> = { model: 'digits', version: '1', key: 'digits-cnn' };

describe('API1:2023 Broken Object Level Authorization', () => {
  test.each([
    ['POST', '/v2/models/digits/infer'],
    ['POST', '/v2/models/digits/versions/1/infer'],
    ['GET', '/v2/models/digits'],
    ['GET', '/v2/models/digits/config'],
    ['GET', '/v2/models/digits/stats'],
    ['POST', '/predict/digits'],
    ['POST', '/predictions/digits'],
  ])('a key for one model is refused another: %s %s', async (method, path) => {
    expect((await ask(path, keys.narrow, { method, ...(method === 'POST' && { body: BODY }) })).status).toBe(
      403,
    );
    const own = path.replace('digits', 'other');
    expect(
      (await ask(own, keys.narrow, { method, ...(method === 'POST' && { body: BODY }) })).status,
    ).not.toBe(403);
  });

  test('nor does it see or change what belongs to another model on the control plane', async () => {
    const { text } = await ask('/api/experiments', keys.narrowOperator);
    expect(text).not.toContain('digits');
    for (const path of ['/api/experiments/digits-cnn', '/api/experiments/digits-cnn/results'])
      expect((await ask(path, keys.narrowOperator)).status).toBe(404);
    const promote = await ask('/api/experiments/digits-cnn/promote', keys.narrowOperator, {
      body: { reason: 'a' },
    });
    expect(promote.status).toBe(404);
    expect(
      (await ask(`/api/keys/${keys.operator.id}`, keys.narrowOperator, { method: 'DELETE' })).status,
    ).toBe(403);
  });
});

describe('API2:2023 Broken Authentication', () => {
  test('what is no key, or stands where keys don’t belong, opens nothing', async () => {
    const wrong = `${keys.caller.text.slice(0, -1)}${keys.caller.text.endsWith('a') ? 'b' : 'a'}`;
    const basic = Buffer.from(`user:${keys.caller.text}`).toString('base64');
    const answers = await Promise.all([
      ask('/v2', undefined),
      ask('/v2', undefined, { headers: { 'x-api-key': wrong } }),
      ask('/v2', undefined, { headers: { 'x-api-key': keys.caller.id } }),
      ask('/v2', undefined, { headers: { authorization: `Basic ${basic}` } }),
      ask(
        `/v2?key=${keys.caller.text}&api_key=${keys.caller.text}&access_token=${keys.caller.text}`,
        undefined,
      ),
      ask('/v2', undefined, { headers: { cookie: `x-api-key=${keys.caller.text}` } }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(401));
    expect(answers.every(({ header }) => header('www-authenticate') === 'Bearer')).toBe(true);
    expect((await ask('/v2', keys.caller)).status).toBe(200);
  });
});

describe('API3:2023 Broken Object Property Level Authorization', () => {
  test.each([{ id: 'chosen' }, { hash: 'a'.repeat(64) }, { text: 'sb_a_b' }, { createdBy: 'somebody' }])(
    'a key is made with no other properties than those that may be given: %j',
    async (property) => {
      const grant = { name: 'a', scopes: ['admin:read'], ...property };
      expect((await ask('/api/keys', keys.operator, { body: grant })).status).toBe(400);
    },
  );

  test('nobody gives more than it has, and no answer has what opens', async () => {
    const grant = { name: 'a', scopes: ['infer'] };
    expect((await ask('/api/keys', keys.operator, { body: grant })).status).toBe(403);
    const { text } = await ask('/api/keys', keys.operator);
    expect(text).toContain(keys.caller.id);
    for (const { hash, text: secret } of Object.values(keys)) {
      expect(text).not.toContain(hash);
      expect(text).not.toContain(secret.slice(-43));
    }
  });
});

describe('API4:2023 Unrestricted Resource Consumption', () => {
  test('every limit is finite where nobody configured one', () => {
    const { config } = gateway.server.gateway;
    const limits = { ...config.timeouts, ...config.limits.shedding, body: config.server.bodyLimitBytes };
    for (const [name, value] of Object.entries({
      ...limits,
      connections: config.limits.connections,
      pixels: config.limits.imagePixels,
    })) {
      expect([name, Number.isFinite(value) && value > 0]).toEqual([name, true]);
    }
  });
});

describe('API5:2023 Broken Function Level Authorization', () => {
  test('every route of the control plane asks for its scope, and a caller of predictions has none of them', async () => {
    const routes = await routesOf(buildAdminPlane);
    expect(routes.length).toBeGreaterThan(20);
    for (const { method, path, scope } of routes.filter((route) => route.scope !== 'open')) {
      expect([path, scope]).toEqual([path, expect.stringMatching(/^admin:(read|write)$/)]);
      const body = ['GET', 'HEAD', 'DELETE'].includes(method) ? {} : { body: {} };
      const at = { method, onAdmin: true, ...body };
      expect([method, path, (await ask(path, undefined, at)).status]).toEqual([method, path, 401]);
      expect([method, path, (await ask(path, keys.caller, at)).status]).toEqual([method, path, 403]);
      if (scope === 'admin:write')
        expect([method, path, (await ask(path, keys.reader, at)).status]).toEqual([method, path, 403]);
    }
  });

  test('what changes the models or the settings on the data plane needs admin:write too', async () => {
    const paths = ['/v2/repository/models/digits/load', '/v2/repository/models/digits/unload'];
    for (const path of paths) expect((await ask(path, keys.caller, { body: {} })).status).toBe(403);
    expect((await ask('/v2/logging', keys.caller, { body: { log_verbose_level: 1 } })).status).toBe(403);
  });
});

describe('API6:2023 Unrestricted Access to Sensitive Business Flows', () => {
  test('results can’t be bent: outcomes need a prediction of this gateway, and count once', async () => {
    const { header } = await ask('/v2/models/digits/infer', keys.caller, {
      body: BODY,
      headers: { 'x-user-id': 'ada' },
    });
    const id = header('x-prediction-id') ?? '';
    const report = async (prediction_id: string) => {
      const { text } = await ask('/v1/outcomes', keys.caller, {
        body: { prediction_id, metric: 'correct', value: 1 },
      });
      return JSON.parse(text) as { accepted: number; rejected: { code: string }[] };
    };
    expect(await report(`${id.slice(0, -2)}${id.endsWith('AA') ? 'BB' : 'AA'}`)).toMatchObject({
      rejected: [{ code: 'bad_signature' }],
    });
    expect(await report(id)).toMatchObject({ accepted: 1 });
    expect(await report(id)).toMatchObject({ rejected: [{ code: 'duplicate' }] });
    expect(
      (await ask('/v1/outcomes', keys.narrow, { body: { prediction_id: id, metric: 'correct', value: 1 } }))
        .status,
    ).toBe(403);
  });

  test('nobody chooses its own variant without the right to', async () => {
    const headers = { 'x-experiment': 'v2' };
    expect((await ask('/v2/models/digits/infer', keys.caller, { body: BODY, headers })).status).toBe(403);
  });
});

describe('API7:2023 Server Side Request Forgery', () => {
  test('nothing that a caller sends names an address that is called', async () => {
    const before = elsewhere.calls.length;
    const { url } = elsewhere;
    const header = Buffer.from(
      JSON.stringify({ alg: 'RS256', kid: 'a', jku: `${url}/jwks`, x5u: `${url}/x5u` }),
    ).toString('base64url');
    const headers = {
      'x-forwarded-host': new URL(url).host,
      'x-original-url': url,
      'x-forwarded-proto': 'http',
      forwarded: `host=${new URL(url).host}`,
      referer: url,
    };
    await ask('/v2/models/digits/infer', keys.caller, {
      headers,
      body: { ...BODY, parameters: { url, webhook: url } },
    });
    await ask('/v2', undefined, { headers: { authorization: `Bearer ${header}.e30.AAAA` } });
    await ask('/api/models/digits/load', keys.operator, {
      body: { parameters: { config: `{"url":"${url}"}` } },
    });
    await ask(`/models?url=${encodeURIComponent(`${url}/model.mar`)}`, keys.operator, { method: 'POST' });
    // What the variant itself is asked is by its configuration.
    const made = elsewhere.calls
      .slice(before)
      .filter((call) => !/ \/(health|v2\/models\/inside.*)$/.test(call));
    expect(made).toEqual([]);
  });

  test('a variant’s server that sends the gateway elsewhere is not followed', async () => {
    const before = elsewhere.calls.length;
    const { status } = await ask('/v2/models/away/infer', keys.caller, { body: BODY });
    expect(status).toBeGreaterThanOrEqual(300);
    expect(elsewhere.calls.slice(before).filter((call) => call.includes('secret'))).toEqual([]);
  });
});

describe('API8:2023 Security Misconfiguration', () => {
  test('errors say what was wrong, and nothing of the inside', async () => {
    const answers = await Promise.all([
      ask('/v2/models/digits/infer', keys.caller, { body: { inputs: [{}] } }),
      ask('/v2/models/nobody/infer', keys.caller, { body: BODY }),
      ask('/nothing', keys.caller),
      ask('/v2/models/digits/versions/x/infer', keys.caller, { body: BODY }),
    ]);
    for (const { text } of answers) {
      expect(text).toMatch(/^\{"error":"/);
      expect(text).not.toMatch(/\bat .+:\d+:\d+|node_modules|\.ts\b/);
      expect(text).not.toContain(gateway.folder.path);
    }
    expect((await fetch(gateway.url('/v2'))).headers.get('server')).toBeNull();
    expect((await fetch(gateway.url('/v2'))).headers.get('x-powered-by')).toBeNull();
  });
});

describe('API9:2023 Improper Inventory Management', () => {
  test('every route of the data plane is known to ask for a key, or to be open', async () => {
    const routes = await routesOf(buildDataPlane);
    // What describes the API says what the project's pages say.
    const open = routes
      .filter(({ scope, path }) => scope === 'open' && path !== '/' && !path.startsWith('/docs'))
      .map(({ path }) => path);
    expect([...new Set(open)].toSorted()).toEqual([
      '/health',
      '/ping',
      '/v2/health/live',
      '/v2/health/ready',
      '/v2/models/digits/ready',
      '/v2/models/digits/versions/1/ready',
    ]);
    for (const { method, path, scope } of routes.filter((route) => route.scope !== 'open')) {
      const body = ['GET', 'HEAD', 'DELETE'].includes(method) ? {} : { body: {} };
      expect([method, path, scope, (await ask(path, undefined, { method, ...body })).status]).toEqual([
        method,
        path,
        scope,
        401,
      ]);
    }
  });

  test.each([
    '/.env',
    '/admin',
    '/debug/pprof',
    '/actuator',
    '/metrics',
    '/api/experiments',
    '/server-status',
    '/v1',
    '/v3',
  ])('the data plane has nothing at %s', async (path) => {
    const response = await fetch(gateway.url(path), { headers: { 'x-api-key': keys.operator.text } });
    expect(response.status).toBe(404);
  });

  test.each(['OPTIONS', 'PATCH', 'PROPFIND'])('%s is answered nowhere', async (method) => {
    expect((await ask('/v2', keys.caller, { method })).status).toBe(405);
  });
});

describe('API10:2023 Unsafe Consumption of APIs', () => {
  test('what a variant’s server answers is checked before it is passed on', async () => {
    const { status } = await ask('/v2/models/away/infer', keys.caller, { body: BODY });
    expect(status).not.toBe(200);
  });
});
