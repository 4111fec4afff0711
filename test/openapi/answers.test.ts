import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { keysYaml } from '../gateway/keys-yaml.ts';
import { DEMO_FOLDER, eventually, experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { SchemaChecker, committed, operationsOf } from './documents.ts';
import type { DocumentName, DocumentedOperation, OpenApi } from './documents.ts';

const root = createKey();
const other = createKey();

const EXPERIMENT = `
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 9 }, { name: v2, version: 2, weight: 1 }]
mirror: { variant: v2, share: 0.5 }
metrics: [{ name: correct, kind: proportion, role: goal }]
`;

let gateway: RunningGateway;
let image: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  image = new Uint8Array(await readFile(join(DEMO_FOLDER, 'images/0001.png')));
  gateway = await startGateway({
    admin: true,
    config:
      `models: { repository: [${JSON.stringify(join(DEMO_FOLDER, 'models'))}, ./models], defaultModel: digits, control: explicit, load: [digits, rolled] }\n` +
      'auth: { keys: ./keys.yaml }\n',
    files: {
      'models/spare/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/loose.onnx': identityModel('FP32', ['batch', 1]),
      'models/rolled/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/rolled/2/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/digits.yaml': EXPERIMENT,
      'experiments/rolled.yaml': experimentFile({
        key: 'rolled',
        model: 'rolled',
        variants: [
          { name: 'v1', version: 1, weight: 100 },
          { name: 'v2', version: 2, weight: 0 },
        ],
        metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
        rollout: { preset: 'canary' },
      }),
      'keys.yaml': keysYaml(
        [root, 'scopes: [infer, override, outcomes, metrics, "admin:read", "admin:write"]'],
        [other, 'scopes: [infer]'],
      ),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** What stands in a path where the document's own example can't: what is loaded and unloaded is nobody else's. */
const MODEL_OF: Readonly<Record<string, string>> = {
  loadModel: 'spare',
  unloadModel: 'spare',
  torchserveUnregister: 'spare',
  torchserveUnregisterOfVersion: 'spare',
};

/** What is asked for in the query, where something has to be. */
const QUERY_OF: Readonly<Record<string, string>> = {
  torchserveRegister: '?url=loose.onnx&model_name=registered',
  torchserveScale: '?min_worker=1&synchronous=true',
  torchserveScaleOfVersion: '?min_worker=1',
};

/** In this order; what isn't named comes in between. */
const FIRST = ['loadModel', 'infer', 'createKey', 'pause', 'resume', 'promote'];
const LAST = ['unloadModel', 'torchserveUnregister', 'revokeKey'];

/** Operations that answer what was sent with something else than 2xx here, and why. */
const REFUSED: Readonly<Record<string, number>> = {
  // The experiment has no rollout, and version 1 is not the highest.
  torchserveSetDefaultOfVersion: 501,
  // It is not loaded any more.
  torchserveUnregister: 500,
  torchserveUnregisterOfVersion: 404,
};

interface Sent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | FormData;
}

/** Every example of a request, an image where images are taken, or nothing. */
function requestsOf({ requestBody }: DocumentedOperation): readonly Sent[] {
  const sent: Sent[] = [];
  for (const [type, { examples = {}, schema }] of Object.entries(requestBody?.content ?? {})) {
    if (type === 'application/json') {
      for (const { value } of Object.values(examples))
        sent.push({ headers: { 'content-type': type }, body: JSON.stringify(value) });
    } else if (type === 'multipart/form-data') {
      const [field = ''] = Object.keys((schema as { properties: object }).properties);
      const form = new FormData();
      form.append(field, new Blob([image]), '0001.png');
      sent.push({ headers: {}, body: form });
    } else if (type === 'image/*') sent.push({ headers: { 'content-type': 'image/png' }, body: image });
  }
  return sent.length > 0 && requestBody?.required !== false ? sent : [{ headers: {} }, ...sent];
}

function rank({ operationId }: DocumentedOperation): number {
  if (FIRST.includes(operationId)) return FIRST.indexOf(operationId) - FIRST.length;
  return LAST.findIndex((id) => operationId.startsWith(id)) + 1;
}

/** Sends what a document shows, and holds the answers against what it says of them. */
async function exchange(name: DocumentName, document: OpenApi): Promise<number> {
  const checker = new SchemaChecker(document);
  const base = `http://${(name === 'data' ? gateway.server.bound.http : gateway.server.bound.admin) ?? ''}`;
  const operations = operationsOf(document)
    .filter(({ operation }) => operation.operationId !== 'events')
    .sort((a, b) => rank(a.operation) - rank(b.operation));
  let keyId = other.id;
  let exchanged = 0;
  for (const { path, method, operation } of operations) {
    const { operationId: id } = operation;
    const url = path.replaceAll(/\{(\w+)\}/g, (_, parameter: string) => {
      if (parameter === 'id') return keyId;
      if (parameter === 'model' && MODEL_OF[id] !== undefined) return MODEL_OF[id];
      return String(operation.parameters.find((each) => each.name === parameter)?.example);
    });
    const requests = requestsOf(operation);
    // What is unloaded can't be unloaded again.
    for (const { headers, body } of id === 'unloadModel' ? requests.slice(0, 1) : requests) {
      const response = await fetch(`${base}${url}${QUERY_OF[id] ?? ''}`, {
        method,
        headers: { ...headers, authorization: `Bearer ${root.text}` },
        ...(body !== undefined && { body }),
      });
      const where = `${id}: ${method} ${url} answered ${response.status}`;
      const documented = operation.responses[response.status];
      expect(documented, where).toBeDefined();
      const expected = REFUSED[id];
      if (expected === undefined) expect(response.ok, where).toBe(true);
      const type = response.headers.get('content-type')?.split(';')[0] ?? '';
      const text = await response.text();
      if (documented?.content === undefined) expect(text, where).toBe('');
      else {
        const media = documented.content[type];
        expect(media, `${where} with ${type}`).toBeDefined();
        if (type === 'application/json') {
          const answer: unknown = JSON.parse(text);
          expect(checker.problems(media?.schema ?? {}, answer), where).toEqual([]);
          if (id === 'createKey') keyId = (answer as { id: string }).id;
        }
      }
      exchanged += 1;
    }
  }
  return exchanged;
}

test('a gateway answers what its documents show as they say it does, on both planes', async () => {
  expect(await exchange('data', await committed('data'))).toBeGreaterThan(30);
  expect(await exchange('admin', await committed('admin'))).toBeGreaterThan(30);
});

test('a rollout is told as the document says', async () => {
  const document = await committed('admin');
  const { schema = {} } =
    document.paths['/api/experiments/{key}/rollout']?.get?.responses['200']?.content?.['application/json'] ??
    {};
  let answer: { rollout: { steps: unknown[] } | null } = { rollout: null };
  await eventually(async () => {
    const response = await fetch(
      `http://${gateway.server.bound.admin ?? ''}/api/experiments/rolled/rollout`,
      {
        headers: { 'x-api-key': root.text },
      },
    );
    answer = (await response.json()) as typeof answer;
    return answer.rollout !== null;
  });
  expect(answer.rollout?.steps.length).toBeGreaterThan(1);
  expect(new SchemaChecker(document).problems(schema, answer)).toEqual([]);
});

test('without a key, and for what is not there, the errors are the documented ones', async () => {
  const document = await committed('data');
  const checker = new SchemaChecker(document);
  const refusals = [
    { url: '/v2/models/digits/infer', status: '401', of: document.paths['/v2/models/{model}/infer']?.post },
    { url: '/predictions/digits', status: '401', of: document.paths['/predictions/{model}']?.post },
    {
      url: '/ofrep/v1/evaluate/flags/x',
      status: '401',
      of: document.paths['/ofrep/v1/evaluate/flags/{key}']?.post,
    },
  ];
  for (const { url, status, of } of refusals) {
    const response = await fetch(gateway.url(url), { method: 'POST', body: '{}' });
    expect(String(response.status)).toBe(status);
    const { schema = {} } = of?.responses[status]?.content?.['application/json'] ?? {};
    expect(checker.problems(schema, await response.json()), url).toEqual([]);
  }
});
