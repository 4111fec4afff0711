import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { DEMO_FOLDER } from '../../gateway/running-gateway.ts';
import type { Entry } from '../entry.ts';
import { gatewayFor } from '../fuzzed-gateway.ts';
import type { Exchange } from '../fuzzed-gateway.ts';

interface HttpEntryOptions {
  readonly seeds: readonly Uint8Array[];
  readonly tokens: readonly string[];
  readonly exchange: (input: Buffer) => Exchange;
}

/** Bodies that are sent to a running gateway. */
function httpEntry(name: string, options: () => Promise<HttpEntryOptions> | HttpEntryOptions): Entry {
  return {
    name,
    async open(shared) {
      const [{ gateway, release }, { seeds, tokens, exchange }] = await Promise.all([
        gatewayFor(shared),
        options(),
      ]);
      return {
        seeds,
        tokens,
        concurrency: 24,
        attempt: (input) => gateway.attempt(exchange(input)),
        memoryBytes: () => gateway.memoryBytes(),
        [Symbol.asyncDispose]: release,
      };
    },
  };
}

const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const SIMPLE = { name: 'INPUT', shape: [2, 4], datatype: 'FP32', data: [1, 2.5, -3, 4e-3, 5, 6, 7, 8] };

const JSON_TOKENS = [
  '"data":',
  '"shape":',
  '"datatype":',
  '"parameters":',
  '"inputs":',
  '"outputs":',
  '"FP32"',
  '"INT64"',
  '"BYTES"',
  '"BOOL"',
  '"FP16"',
  '"constructor"',
  '"toString"',
  '"__proto__"',
  '[[',
  ']]',
  '{}',
  'null',
  'true',
  '-0',
  '1e309',
  'NaN',
  '9223372036854775808',
  '-1',
  '1.5',
  '"__proto__":',
  '"\\ud800"',
  '"binary_data_size":',
  '"classification":3',
  '"priority":1',
  '"timeout":1',
  '"sequence_id":1',
  '\ufeff',
  ' ',
  ',',
  ':',
];

/** JSON and binary tensors, to models of every kind of element. The first byte says which model, and whether all is JSON. */
export const v2Json = httpEntry('v2-json', () => ({
  seeds: [
    text({ id: 'a', inputs: [SIMPLE] }),
    text({
      inputs: [{ ...SIMPLE, shape: [1, 4], data: [[1, 2, 3, 4]] }],
      outputs: [{ name: 'OUTPUT', parameters: { classification: 2 } }],
    }),
    text({
      inputs: [
        { name: 'INPUT', shape: [1, 4], datatype: 'FP32', parameters: {}, data: [0, -0, 1e-45, 3e38] },
      ],
      parameters: { priority: 0, timeout: 0 },
    }),
  ],
  tokens: JSON_TOKENS,
  exchange: (body) => ({ path: '/v2/models/simple/infer', body }),
}));

export const v2Integers = httpEntry('v2-json-integers', () => ({
  seeds: [
    Buffer.from(
      '{"inputs":[{"name":"INPUT","shape":[1,2],"datatype":"INT64","data":[9223372036854775807,-9223372036854775808]}]}',
    ),
    Buffer.from(
      '{"inputs":[{"name":"INPUT","shape":[2,2],"datatype":"INT64","data":[[1,2],[3,9007199254740993]]}]}',
    ),
  ],
  tokens: JSON_TOKENS,
  exchange: (body) => ({ path: '/v2/models/integers/infer', body }),
}));

export const v2Strings = httpEntry('v2-json-strings', () => ({
  seeds: [
    text({
      inputs: [{ name: 'INPUT', shape: [1, 2], datatype: 'BYTES', data: ['ab', 'ünïcode \u{1f600}'] }],
    }),
    text({ inputs: [{ name: 'INPUT', shape: [2, 2], datatype: 'BYTES', data: ['', '"', '\\', '\n'] }] }),
  ],
  tokens: JSON_TOKENS,
  exchange: (body) => ({ path: '/v2/models/text/infer', body }),
}));

/** The length of the JSON is the mutated body's own first two bytes, so that it is wrong as often as the rest. */
function withHead(head: object, ...tensors: readonly Uint8Array[]): Buffer {
  const json = text(head);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(json.length);
  return Buffer.concat([length, json, ...tensors]);
}

const floats = (values: readonly number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

function bytesTensor(values: readonly string[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

function binaryExchange(model: string): (input: Buffer) => Exchange {
  return (input) => ({
    path: `/v2/models/${model}/infer`,
    headers: { 'inference-header-content-length': String(input.length < 2 ? 0 : input.readUInt16BE()) },
    body: input.subarray(2),
  });
}

export const v2Binary = httpEntry('v2-binary', () => ({
  seeds: [
    withHead(
      {
        inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', parameters: { binary_data_size: 16 } }],
        parameters: { binary_data_output: true },
      },
      floats([1, 2, 3, 4]),
    ),
    withHead(
      {
        inputs: [{ name: 'INPUT', shape: [2, 4], datatype: 'FP32', parameters: { binary_data_size: 32 } }],
        outputs: [{ name: 'OUTPUT', parameters: { binary_data: true } }],
      },
      floats([1, 2, 3, 4, 5, 6, 7, 8]),
    ),
  ],
  tokens: [...JSON_TOKENS, '"binary_data_size":4', '"binary_data":true'],
  exchange: binaryExchange('simple'),
}));

export const v2BinaryStrings = httpEntry('v2-binary-strings', () => {
  const values = bytesTensor(['ab', 'c']);
  return {
    seeds: [
      withHead(
        {
          inputs: [
            {
              name: 'INPUT',
              shape: [1, 2],
              datatype: 'BYTES',
              parameters: { binary_data_size: values.length },
            },
          ],
          parameters: { binary_data_output: true },
        },
        values,
      ),
    ],
    tokens: JSON_TOKENS,
    exchange: binaryExchange('text'),
  };
});

/** Pictures of every format that is read, of a few pixels. */
async function pictures(): Promise<readonly Buffer[]> {
  const scan = await readFile(join(DEMO_FOLDER, 'images/0001.png'));
  const noise = sharp({ create: { width: 24, height: 16, channels: 3, background: '#338855' } });
  const made = await Promise.all([
    noise.clone().jpeg().toBuffer(),
    noise
      .clone()
      .jpeg({ progressive: true })
      .withExif({ IFD0: { Orientation: '6' } })
      .toBuffer(),
    noise.clone().webp().toBuffer(),
    noise.clone().png({ palette: true }).toBuffer(),
    noise.clone().greyscale().png().toBuffer(),
  ]);
  return [scan, ...made];
}

export const images = httpEntry('images', async () => ({
  seeds: await pictures(),
  tokens: ['IHDR', 'IDAT', 'PLTE', 'tRNS', 'Exif', 'VP8X', '\u0000\u0000'],
  exchange: (body) => ({ path: '/predict/digits', headers: { 'content-type': 'image/png' }, body }),
}));

const BOUNDARY = 'a-boundary';

function form(...parts: readonly (readonly [head: string, content: Uint8Array])[]): Buffer {
  return Buffer.concat([
    ...parts.flatMap(([head, content]) => [
      Buffer.from(`--${BOUNDARY}\r\n${head}\r\n\r\n`),
      content,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${BOUNDARY}--\r\n`),
  ]);
}

export const multipart = httpEntry('multipart', async () => {
  const [scan = Buffer.alloc(0), photo = Buffer.alloc(0)] = await pictures();
  const file = (name: string) =>
    `Content-Disposition: form-data; name="${name}"; filename="a.png"\r\nContent-Type: image/png`;
  return {
    seeds: [
      form([file('file'), scan]),
      form([file('file'), scan], [file('file'), photo]),
      form(['Content-Disposition: form-data; name="note"', Buffer.from('a note')], [file('file'), scan]),
    ],
    tokens: [
      `--${BOUNDARY}`,
      `--${BOUNDARY}--`,
      '\r\n\r\n',
      '\r\n',
      'name="file"',
      "filename*=UTF-8''%ff",
      'Content-Transfer-Encoding: base64',
      '; ',
      '"',
      '\u0000',
    ],
    exchange: (body) => ({
      path: '/predict/digits',
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body,
    }),
  };
});

export const torchserve = httpEntry('torchserve', async () => ({
  seeds: [
    ...(await pictures()).slice(0, 2),
    text({ inputs: [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data: Array(64).fill(0.5) }] }),
  ],
  tokens: JSON_TOKENS,
  exchange: (body) => ({ path: '/predictions/digits', body }),
}));

export const ofrep = httpEntry('ofrep', () => ({
  seeds: [text({ context: { targetingKey: 'ada', country: 'NZ', age: 42, nested: { a: [1] } } })],
  tokens: ['"targetingKey":', '"context":', '"__proto__":', 'null', '{}', '[]', '""', '\\u0000', '1e400'],
  exchange: (body) => ({ path: '/ofrep/v1/evaluate/flags', body }),
}));

export const outcomes = httpEntry('outcomes', () => ({
  seeds: [
    text([
      {
        prediction_id:
          'ASEDAaIFP_hAr-NFZ4TdzwPrM2HeAAEkyrZn4NjB3z_wAAAAAAAACmRpZ2l0cy1jbm52MZdxxyFnL1KT2V1YLpmynz4',
        metric: 'correct',
        value: 1,
      },
    ]),
    text({ prediction_id: 'x', metric: 'revenue', value: { numerator: 1, denominator: 2 } }),
  ],
  tokens: [
    '"prediction_id":',
    '"metric":',
    '"value":',
    '"numerator":',
    'null',
    'true',
    '1e400',
    '[',
    ']',
    '{}',
    '"__proto__":',
  ],
  exchange: (body) => ({ path: '/v1/outcomes', body }),
}));
