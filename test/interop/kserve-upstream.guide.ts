/** A real KServe model server, in Python with its own ONNX Runtime, as a variant. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

const SCRIPT = fileURLToPath(new URL('python/kserve_server.py', import.meta.url));
const MODEL = join(DEMO_FOLDER, 'models/digits');
/** Of a server whose hundred megabytes of packages may have to come first, on a machine that is busy with something else. */
const START_MS = 1_800_000;
const SCAN = Array.from({ length: 64 }, (_, index) => ((index * 7) % 17) / 16);

let port: number;
let server: ChildProcess;
let gateway: RunningGateway;

async function startKServe(): Promise<ChildProcess> {
  const environment = await pythonEnvironment('kserve-requirements.txt');
  if (environment.kind === 'missing') throw new Error(environment.reason);
  const args = [SCRIPT, join(MODEL, '1/model.onnx'), String(port)];
  const child = spawn(environment.python, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`KServe's server ended before it was ready:\n${said}`);
    return (await fetch(`http://127.0.0.1:${port}/v2/health/ready`).catch(() => undefined))?.ok === true;
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

beforeAll(async () => {
  port = await freePort();
  server = await startKServe();
  const upstream = { url: `http://127.0.0.1:${port}`, health: { interval: '100ms' } };
  gateway = await startGateway({
    repository: join(DEMO_FOLDER, 'models'),
    files: {
      'experiments/digits.yaml': experimentFile({
        variants: [
          { name: 'v1', version: 1, weight: 1 },
          { name: 'kserve', weight: 1, upstream },
        ],
      }),
    },
  });
}, START_MS);
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await stop(server);
});

interface V2Answer {
  readonly model_name: string;
  readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
}

async function infer(variant: string) {
  const response = await fetch(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    headers: { 'x-experiment': variant, 'content-type': 'application/json' },
    body: JSON.stringify({
      inputs: [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data: SCAN }],
    }),
  });
  return {
    status: response.status,
    variant: response.headers.get('x-experiment'),
    reason: response.headers.get('x-experiment-reason'),
    body: (await response.json()) as V2Answer,
  };
}

function expectSame(there: readonly number[] | undefined, own: readonly number[] | undefined): void {
  expect(there?.length).toBe(own?.length);
  there?.forEach((value, at) => {
    expect(value).toBeCloseTo(own?.[at] ?? Number.NaN, 4);
  });
}

test('says over JSON what the same model says here', async () => {
  const [there, own] = [await infer('kserve'), await infer('v1')];
  expect(there).toMatchObject({ status: 200, variant: 'digits-cnn=kserve', reason: 'override' });
  expect(own).toMatchObject({ status: 200, variant: 'digits-cnn=v1', reason: 'override' });
  expect(there.body.outputs[0]?.name).toBe(own.body.outputs[0]?.name);
  expectSame(there.body.outputs[0]?.data, own.body.outputs[0]?.data);
});

test('takes an upload’s tensor as the gateway makes it', async () => {
  const file = await readFile(join(DEMO_FOLDER, 'images/0001.png'));
  const predict = async (variant: string) => {
    const response = await fetch(gateway.url('/predict/digits'), {
      method: 'POST',
      headers: { 'x-experiment': variant, 'content-type': 'image/png' },
      body: file,
    });
    expect([response.status, response.headers.get('x-experiment')]).toEqual([200, `digits-cnn=${variant}`]);
    return (await response.json()) as { readonly predictions: readonly { readonly label: string }[] };
  };
  const [there, own] = [await predict('kserve'), await predict('v1')];
  expect(there.predictions.map(({ label }) => label)).toEqual(own.predictions.map(({ label }) => label));
});

test('its refusal is the caller’s mistake, and passed on in its own words', async () => {
  const response = await fetch(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    headers: { 'x-experiment': 'kserve', 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: 'none' }),
  });
  expect([response.status, response.headers.get('x-experiment-reason')]).toEqual([422, 'override']);
});

test('while it is gone the control answers and says so, and when it is back it answers again', async () => {
  await stop(server);
  expect(await infer('kserve')).toMatchObject({ status: 200, variant: 'digits-cnn=v1', reason: 'fallback' });
  await eventually(
    async () => metricValue(await gateway.metrics(), 'signalbox_upstream_ready', { variant: 'kserve' }) === 0,
  );
  server = await startKServe();
  await eventually(async () => (await infer('kserve')).reason === 'override');
}, 120_000);
