import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnservableGraph, readGraphSignature } from '../../../backends/onnx/graph-file.ts';
import { RegistrationError } from '../../../backends/registration/registration-error.ts';
import { readTorchArchive } from '../../../backends/registration/torch-archive.ts';
import { ZipArchive } from '../../../backends/registration/zip-archive.ts';
import { ModelConfigMessage } from '../../../backends/repository/model-config-proto.ts';
import { readModelConfig } from '../../../backends/repository/model-config.ts';
import { InvalidDocuments } from '../../../documents/problem.ts';
import { parseTextProto } from '../../../documents/text-proto.ts';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import { PredictionIds } from '../../../experiments/prediction-id.ts';
import { readProperties } from '../../../gateway/cli/torchserve-import/properties.ts';
import { convertTorchserve } from '../../../gateway/cli/torchserve-import/convert.ts';
import { parseConfig } from '../../../gateway/config/load-config.ts';
import { readKeys } from '../../../gateway/trust/keys-file.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { externalAddingModel } from '../../models/small-models.ts';
import { torchArchive } from '../../models/zip-file.ts';
import { reader } from '../entry.ts';
import type { Entry } from '../entry.ts';

const text = (input: Buffer): string => input.toString('utf8');

const asProblems = (error: unknown): string | undefined =>
  error instanceof InvalidDocuments ? 'InvalidDocuments' : undefined;

const YAML_TOKENS = [
  '&a ',
  '*a',
  '<<: ',
  '!!str ',
  '!!binary ',
  '? ',
  '| \n',
  '> \n',
  '- ',
  ': ',
  '{',
  '}',
  '[',
  ']',
  '# ',
  '\t',
  '"\\x00"',
  '.nan',
  '.inf',
  '0x7f',
  '1e999',
  '~',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '${NAME}',
  '${NAME:-x}',
  '${',
  '__proto__: ',
  '\ufeff',
];

const SIGNALBOX = `
listen: { http: 127.0.0.1:8000, grpc: '[::1]:8001', admin: 127.0.0.1:8003 }
server: { name: signalbox, bodyLimit: 64MiB }
models: { repository: [./a, ./b], control: explicit, load: ['*'] }
state: memory
limits: { imagePixels: 1000000, shedding: { bodies: 1GiB } }
timeouts: { inference: 30s, drain: 500ms }
telemetry: { logs: { level: warn, access: 0.1 } }
cache: { memory: 64MiB, ttl: 60s }
`;

export const signalboxYaml: Entry = reader('signalbox.yaml', {
  seeds: [SIGNALBOX],
  tokens: YAML_TOKENS,
  read: (input) => parseConfig(text(input), 'a.yaml', {}),
  isRefusal: asProblems,
});

const EXPERIMENT = `
key: digits-cnn
model: digits
status: running
hashAttribute: x-user-id
coverage: 0.5
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: 2, weight: 10 }
  - { name: v3, weight: 0, upstream: { url: 'http://127.0.0.1:9000', protocol: v2 } }
match: [{ headers: { x-tier: { regex: '^gold.*$' } } }, { query: { a: { in: [b, c] } } }]
metrics: [{ name: correct, kind: proportion, role: goal }, { name: latency, kind: mean, source: latency, role: guardrail }]
guardrails: [{ metric: latency, maxLift: 0.1 }]
`;

export const experimentYaml: Entry = reader('experiment.yaml', {
  seeds: [EXPERIMENT.replace(/guardrails.*\n/, ''), EXPERIMENT.slice(0, EXPERIMENT.indexOf('match:'))],
  tokens: [...YAML_TOKENS, 'weight: ', 'semver', 'regex: "(a+)+$"', 'rollout: ', 'allocation: '],
  read: (input) => readExperiment(parseYaml(text(input), 'a.yaml'), () => [1, 2]),
  isRefusal: asProblems,
});

export const modelConfigYaml: Entry = reader('config.yaml', {
  seeds: [
    'max_batch_size: 32\ndynamic_batching: { preferred_batch_size: [8, 16], max_queue_delay_microseconds: 2000 }\n' +
      'instance_group: [{ count: 2, kind: KIND_AUTO }]\ninput: [{ name: x, data_type: TYPE_FP32, dims: [3, -1] }]\n' +
      'signalbox: { labels: labels.txt, image: { resize: 256, crop: 224, mean: [0.4, 0.4, 0.4], std: [1, 1, 1], layout: nchw } }\n',
  ],
  tokens: YAML_TOKENS,
  read: (input) => readModelConfig(parseYaml(text(input), 'config.yaml'), 'digits'),
  isRefusal: asProblems,
});

export const modelConfigProto: Entry = reader('config.pbtxt', {
  seeds: [
    'name: "digits"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 32\ninput [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1 ] } ]\n' +
      'output [ { name: "y" data_type: TYPE_FP32 dims: [ 10 ] label_filename: "l.txt" } ]\ninstance_group { count: 2 kind: KIND_CPU }\n' +
      'dynamic_batching { preferred_batch_size: [ 8, 16 ] max_queue_delay_microseconds: 2000 }\nparameters { key: "a" value { string_value: "b\\n\\x41\\101" } }\n' +
      'version_policy: { specific: { versions: [ 1, 2 ] } }\n# a comment\n',
    'max_batch_size: 0x10 response_cache { enable: true } model_warmup [ { name: "w" batch_size: 1 inputs { key: "x" value: { data_type: TYPE_FP32 dims: 3 zero_data: true } } } ]',
  ],
  tokens: [
    '{',
    '}',
    '[',
    ']',
    '<',
    '>',
    ':',
    ';',
    ',',
    '"',
    "'",
    '\\',
    '# ',
    '-',
    'inf',
    'nan',
    '1e999',
    '0x',
    '077',
    'true',
    'TYPE_INVALID',
    '[type.googleapis.com/a.b]',
    '"\\777"',
    '"\\uD800"',
    'parameters',
    'ensemble_scheduling { step { } }',
  ],
  read: (input) => readModelConfig(parseTextProto(text(input), ModelConfigMessage, 'config.pbtxt'), 'digits'),
  isRefusal: asProblems,
});

export const keysYaml: Entry = reader('keys.yaml', {
  seeds: [
    `keys:\n  - { id: abcd1234, hash: ${'0f'.repeat(32)}, name: app, scopes: [infer, "admin:read"], models: [digits], rate: 100/s, expires: 2027-01-31 }\n`,
  ],
  tokens: [...YAML_TOKENS, 'scopes: ', '1/s', '9999-99-99', 'T00:00:00Z'],
  read: (input) => readKeys(parseYaml(text(input), 'keys.yaml')),
  isRefusal: asProblems,
});

const ids = new PredictionIds(['a secret of a fuzzed reader', 'the one before it, also long']);
const decision = {
  issuedMs: 1_795_600_000_000,
  experiment: 'digits-cnn',
  variant: 'v1',
  phase: 1,
  epoch: 7,
  counts: true,
  version: 1,
};
const issued = [
  ids.issue({ ...decision, unit: { split: 1, coverage: 2 } }),
  ids.issue({ ...decision, unit: undefined, variant: 'v2' }),
];

/** Nothing but what was issued is taken. */
export const predictionIds: Entry = reader('prediction-ids', {
  seeds: issued,
  tokens: ['=', '==', '+', '/', '-', '_', 'AAAA', '\u0000', ' ', '\u00e9'],
  read(input) {
    const id = text(input);
    const verified = ids.verify(id, decision.issuedMs, Infinity);
    if (verified.kind === 'valid') {
      if (!issued.includes(id)) throw new Error(`what was never issued is valid: ${id}`);
      return;
    }
    throw new RangeError(verified.kind);
  },
  isRefusal: (error) => (error instanceof RangeError ? error.message : undefined),
});

/** Archives of TorchServe's, from a file as they come. */
export const torchArchives: Entry = {
  name: 'mar-archives',
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-fuzz-'));
    const file = join(folder, 'a.mar');
    const entry = reader('mar-archives', {
      seeds: [
        torchArchive({ serializedFile: 'net.onnx', handler: 'image_classifier' }, [
          { path: 'net.onnx', content: 'x'.repeat(400) },
          { path: 'index_to_name.json', content: '{"0": "cat", "1": ["n01", "dog"]}' },
          { path: 'weights.bin', content: 'weights', method: 0 },
        ]),
      ],
      tokens: [
        'PK\u0003\u0004',
        'PK\u0001\u0002',
        'PK\u0005\u0006',
        'PK\u0006\u0006',
        '../',
        '\\',
        'MAR-INF/MANIFEST.json',
        '"serializedFile":"a.pt"',
        '\u0000\u0000\u0000\u0000',
      ],
      async read(input) {
        writeFileSync(file, input);
        const archive = await ZipArchive.open(file, 'a.mar');
        const out = mkdtempSync(join(folder, 'out-'));
        try {
          const offer = await readTorchArchive(archive, 'a.mar', undefined);
          await offer.write(out);
        } finally {
          archive.close();
          rmSync(out, { recursive: true });
        }
      },
      isRefusal: (error) => (error instanceof RegistrationError ? error.fault : undefined),
    });
    return {
      ...(await entry.open()),
      [Symbol.asyncDispose]() {
        rmSync(folder, { recursive: true });
        return Promise.resolve();
      },
    };
  },
};

/** The graphs of ONNX files, which are read before anything is loaded. */
export const onnxGraphs: Entry = {
  name: 'model.onnx',
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-fuzz-'));
    const file = join(folder, 'model.onnx');
    const entry = reader('model.onnx', {
      seeds: [identityModel(), identityModel('INT64', ['batch', 3, 'width']), externalAddingModel()],
      tokens: [
        '\u0008\u0001',
        ':',
        'Z',
        'b',
        '\u0012',
        '\n\u0005INPUT',
        'ORTM',
        'version ',
        '\u007f\u007f\u007f\u007f',
      ],
      async read(input) {
        writeFileSync(file, input);
        await readGraphSignature(file);
      },
      isRefusal: (error) =>
        error instanceof UnservableGraph ? error.message.replace(/:.*/s, '').slice(0, 40) : undefined,
    });
    return {
      ...(await entry.open()),
      [Symbol.asyncDispose]() {
        rmSync(folder, { recursive: true });
        return Promise.resolve();
      },
    };
  },
};

export const torchserveProperties: Entry = reader('config.properties', {
  seeds: [
    'inference_address=http://0.0.0.0:8080\nmanagement_address: http://127.0.0.1:8081\n# a comment\nload_models=a=a.mar,b.mar\nmax_request_size 65535000\n' +
      'models={"noop": {"1.0": {"marName": "noop.mar", "minWorkers": 1, "batchSize": 4}}}\n',
  ],
  tokens: [
    '\\\n',
    '\\u0041',
    '\\uZZZZ',
    '=',
    ':',
    '!',
    '#',
    'https://',
    'unix:/tmp/a',
    '{',
    '}',
    '__proto__=',
  ],
  read: (input) => convertTorchserve(readProperties(text(input))),
  isRefusal: (error) => (error instanceof Error && error.constructor === Error ? 'Error' : undefined),
});
