/** A real FastAPI server, in Python with its own ONNX Runtime, as a variant: the server that many start from. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DEMO_FOLDER,
  eventually,
  experimentFile,
  metricValue,
  startGateway,
} from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { freePort } from '../servers/free-port.ts';
import { pythonEnvironment } from './python-environment.ts';
import { askOfEach } from '../gateway/few-callers.ts';

const python = await pythonEnvironment('fastapi-requirements.txt');
if (python.kind === 'missing') {
  if (process.env.CI === 'true') throw new Error(python.reason);
  process.stderr.write(`FastAPI as an upstream is not tested: ${python.reason}\n`);
}

const SCRIPT = fileURLToPath(new URL('python/fastapi_server.py', import.meta.url));
const MODEL = join(DEMO_FOLDER, 'models/digits');

/** Starts the server, and waits for the line that it prints when it listens. */
async function startFastApi(port: number): Promise<ChildProcess> {
  if (python.kind === 'missing') throw new Error(python.reason);
  const args = [SCRIPT, join(MODEL, '1/model.onnx'), join(MODEL, 'labels.txt'), String(port)];
  const child = spawn(python.python, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => {
      resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`the FastAPI server ended with ${String(code)}`));
    });
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill();
  await exited;
}

interface Prediction {
  readonly success: boolean;
  readonly model?: string;
  readonly predictions: readonly { readonly label: string; readonly confidence: number }[];
}

describe.skipIf(python.kind === 'missing')('a FastAPI server as a variant', () => {
  let port: number;
  let server: ChildProcess;
  let gateway: RunningGateway;
  const here = (): string => `http://127.0.0.1:${port}`;

  beforeAll(async () => {
    port = await freePort();
    server = await startFastApi(port);
    gateway = await startGateway({
      repository: join(DEMO_FOLDER, 'models'),
      files: {
        'experiments/digits.yaml': experimentFile({
          variants: [
            { name: 'v1', version: 1, weight: 1 },
            {
              name: 'fastapi',
              weight: 1,
              // One that is slow on a busy machine is there still; one that is gone refuses at once.
              upstream: { url: here(), protocol: 'http', health: { interval: '100ms', timeout: '1m' } },
            },
          ],
        }),
      },
    });
  }, 300_000);
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await stop(server);
  });

  async function upload(
    file: string,
    headers: Readonly<Record<string, string>> = {},
    url = gateway.url('/predict'),
  ) {
    const form = new FormData();
    form.append('file', new Blob([await readFile(join(DEMO_FOLDER, 'images', file))]), file);
    const response = await fetch(url, { method: 'POST', body: form, headers });
    return {
      status: response.status,
      variant: response.headers.get('x-experiment'),
      reason: response.headers.get('x-experiment-reason'),
      predictionId: response.headers.get('x-prediction-id'),
      body: (await response.json()) as Prediction,
    };
  }

  const force = { 'x-experiment': 'fastapi' };

  test('answers uploads through the gateway as it answers them itself', async () => {
    const through = await upload('0001.png', force);
    expect(through).toMatchObject({ status: 200, variant: 'digits-cnn=fastapi', reason: 'override' });
    const itself = await upload('0001.png', {}, `${here()}/predict`);
    expect(through.body.predictions).toEqual(itself.body.predictions);
  });

  test('says what the same model says here', async () => {
    for (const file of ['0001.png', '0002.png', '0003.png']) {
      const [there, own] = [await upload(file, force), await upload(file, { 'x-experiment': 'v1' })];
      expect(own.body.model).toBe('digits');
      expect(there.body.predictions.map(({ label }) => label)).toEqual(
        own.body.predictions.map(({ label }) => label),
      );
      there.body.predictions.forEach(({ confidence }, at) => {
        expect(confidence).toBeCloseTo(own.body.predictions[at]?.confidence ?? Number.NaN, 5);
      });
    }
  });

  test('gets the form as the caller sent it, with its query, and without what is the gateway’s', async () => {
    await upload(
      '0001.png',
      { ...force, 'x-user-id': 'ada', cookie: 'session=1' },
      gateway.url('/predict?debug=1'),
    );
    const seen = (await (await fetch(`${here()}/seen`)).json()) as {
      headers: Record<string, string>;
      query: Record<string, string>;
      filename: string;
    };
    expect(seen).toMatchObject({
      filename: '0001.png',
      query: { debug: '1' },
      headers: { 'x-user-id': 'ada', via: '1.1 signalbox' },
    });
    expect(seen.headers.cookie).toBeUndefined();
    expect(seen.headers['x-experiment']).toBeUndefined();
  });

  test('splits users with the version that the gateway hosts, and the same user goes the same way', async () => {
    const users = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    const ways = await askOfEach(users, (user) => upload('0001.png', { 'x-user-id': user }));
    expect(
      ways.every(
        ({ status, reason, predictionId }) => status === 200 && reason === 'split' && predictionId !== null,
      ),
    ).toBe(true);
    const variants = ways.map(({ variant }) => variant);
    expect(new Set(variants)).toEqual(new Set(['digits-cnn=v1', 'digits-cnn=fastapi']));
    const again = await askOfEach(users, (user) => upload('0001.png', { 'x-user-id': user }));
    expect(again.map(({ variant }) => variant)).toEqual(variants);
  });

  test('its own refusals are the caller’s mistake, and passed on in its own words', async () => {
    const form = new FormData();
    form.append('file', new Blob(['no image']), 'a.txt');
    const response = await fetch(gateway.url('/predict'), { method: 'POST', body: form, headers: force });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ detail: 'not an image' });
    const wrongField = new FormData();
    wrongField.append('picture', new Blob(['x']), 'a.png');
    const refused = await fetch(gateway.url('/predict'), {
      method: 'POST',
      body: wrongField,
      headers: force,
    });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toHaveProperty('detail');
  });

  test('while it is gone the control answers and says so, and when it is back it answers again', async () => {
    await stop(server);
    const fallen = await upload('0001.png', force);
    expect(fallen).toMatchObject({ status: 200, variant: 'digits-cnn=v1', reason: 'fallback' });
    expect(fallen.body.model).toBe('digits');
    await eventually(
      async () =>
        metricValue(await gateway.metrics(), 'signalbox_upstream_ready', { variant: 'fastapi' }) === 0,
    );
    server = await startFastApi(port);
    await eventually(async () => (await upload('0001.png', force)).reason === 'override');
  });
});
