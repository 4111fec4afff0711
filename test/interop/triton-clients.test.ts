/** The real clients of Triton, in Python, against a running gateway: each function test_… of the scripts is a test here. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { slowModel } from '../models/small-models.ts';
import { pythonEnvironment } from './python-environment.ts';

const SCRIPTS = ['triton_http', 'triton_http_aio', 'triton_grpc', 'triton_grpc_aio'];
const DATATYPES: readonly Tensor['datatype'][] = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
];

const python = await pythonEnvironment();
if (python.kind === 'missing') {
  if (process.env.CI === 'true') throw new Error(python.reason);
  process.stderr.write(`the clients of Triton are not tested: ${python.reason}\n`);
}

describe.skipIf(python.kind === 'missing')('the clients of Triton', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      grpc: true,
      config: 'server: { name: triton }\n',
      files: {
        'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
        'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
        'models/labelled/1/model.onnx': identityModel('FP32', ['batch', 4]),
        'models/labelled/config.yaml': 'max_batch_size: 8\nsignalbox: { labels: labels.txt }\n',
        'models/labelled/labels.txt': 'ant\nbee\ncat\n',
        'models/row/1/model.onnx': identityModel('FP32', ['batch', 400]),
        'models/wide/1/model.onnx': identityModel('FP32', ['batch', 15 * 1024 * 1024]),
        'models/huge/1/model.onnx': identityModel('FP32', [1, 16 * 1024 * 1024]),
        'models/slow/1/model.onnx': slowModel(256, 1500),
        'models/broken/1/model.onnx': 'this is not ONNX',
        'experiments/simple.yaml': experimentFile({ key: 'simple-ab', model: 'simple' }),
        ...Object.fromEntries(
          DATATYPES.map((datatype) => [
            `models/types_${datatype.toLowerCase()}/1/model.onnx`,
            identityModel(datatype, ['batch', 2]),
          ]),
        ),
      },
    });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  describe.each(SCRIPTS)('%s', (script) => {
    const file = fileURLToPath(new URL(`./python/${script}.py`, import.meta.url));
    let errors: ReadonlyMap<string, string | null>;
    beforeAll(async () => {
      if (python.kind === 'ready') errors = await runCases(python.python, file, gateway);
    });

    test.each(casesOf(file))('%s', (name) => {
      // What the script never got to has no line.
      expect(errors.has(name)).toBe(true);
      const error = errors.get(name);
      if (error !== null && error !== undefined) expect.fail(error);
    });
  });
});

function casesOf(file: string): readonly string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^(?:async )?def (test_\w+)/gm)].map(
    ([, name]) => name ?? '',
  );
}

/** Each case's traceback, or null where it passed. */
async function runCases(
  python: string,
  file: string,
  { server }: RunningGateway,
): Promise<ReadonlyMap<string, string | null>> {
  const { http = '', grpc = '' } = server.bound;
  const child = spawn(python, [file, http, grpc], { stdio: ['ignore', 'pipe', 'inherit'] });
  const errors = new Map<string, string | null>();
  for await (const line of createInterface({ input: child.stdout })) {
    const { name, error } = JSON.parse(line) as { name: string; error: string | null };
    errors.set(name, error);
  }
  return errors;
}
