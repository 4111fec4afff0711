/** Every datatype through a real gateway and a real model: JSON and binary data, in and out, in every kind of shape. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATATYPES } from '../../../backends/tensor/datatype.ts';
import type { Datatype } from '../../../backends/tensor/datatype.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { identitiesModel } from '../../models/small-models.ts';
import { startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { splitAnswer } from './v2-gateway.ts';

/** Elements at the ends of what a type holds, as JSON has them and as bytes. */
interface Elements {
  readonly json: readonly string[];
  readonly bytes: readonly Uint8Array[];
}

function elements(json: readonly string[], array: ArrayBufferView, size: number): Elements {
  const all = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return { json, bytes: json.map((_, index) => all.slice(index * size, (index + 1) * size)) };
}

function strings(...texts: readonly string[]): Elements {
  const bytes = texts.map((text) => {
    const utf8 = Buffer.from(text);
    return Buffer.concat([Buffer.from(Uint32Array.of(utf8.length).buffer), utf8]);
  });
  return { json: texts.map((text) => JSON.stringify(text)), bytes };
}

const EXTREMES: Readonly<Record<Datatype, Elements>> = {
  BOOL: elements(['true', 'false', 'false', 'true'], Uint8Array.of(1, 0, 0, 1), 1),
  UINT8: elements(['255', '0', '1', '127'], Uint8Array.of(255, 0, 1, 127), 1),
  UINT16: elements(['65535', '0', '1', '32768'], Uint16Array.of(65_535, 0, 1, 32_768), 2),
  UINT32: elements(['4294967295', '0', '1', '2147483648'], Uint32Array.of(2 ** 32 - 1, 0, 1, 2 ** 31), 4),
  UINT64: elements(
    ['18446744073709551615', '0', '9007199254740993', '9223372036854775808'],
    BigUint64Array.of(2n ** 64n - 1n, 0n, 2n ** 53n + 1n, 2n ** 63n),
    8,
  ),
  INT8: elements(['-128', '0', '-1', '127'], Int8Array.of(-128, 0, -1, 127), 1),
  INT16: elements(['-32768', '0', '-1', '32767'], Int16Array.of(-32_768, 0, -1, 32_767), 2),
  INT32: elements(['-2147483648', '0', '-1', '2147483647'], Int32Array.of(-(2 ** 31), 0, -1, 2 ** 31 - 1), 4),
  INT64: elements(
    ['-9223372036854775808', '-1', '-9007199254740993', '9223372036854775807'],
    BigInt64Array.of(-(2n ** 63n), -1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n),
    8,
  ),
  // The largest half, -0, the smallest subnormal and the smallest normal number.
  FP16: elements(
    ['65504', '-0.0', '5.960464477539063e-8', '0.00006103515625'],
    Uint16Array.of(0x7bff, 0x8000, 1, 0x0400),
    2,
  ),
  FP32: elements(
    ['3.4028234663852886e+38', '-0.0', '1.401298464324817e-45', '0.10000000149011612'],
    Float32Array.of(3.4028234663852886e38, -0, 1.401298464324817e-45, 0.1),
    4,
  ),
  FP64: elements(
    ['1.7976931348623157e+308', '-0.0', '5e-324', '0.1'],
    Float64Array.of(Number.MAX_VALUE, -0, Number.MIN_VALUE, 0.1),
    8,
  ),
  BYTES: strings('', 'ä€😀', 'a\n"b"\\', '7'),
};

/** Models that give each of 13 inputs, one a datatype, back. */
const MODELS = [
  { model: 'batched', graph: ['batch', 2], sent: [2, 2] },
  { model: 'rows', graph: ['batch'], sent: [4] },
  { model: 'free', graph: ['batch', 'width'], sent: [1, 3] },
  { model: 'free', graph: ['batch', 'width'], sent: [2, 0], why: ' (empty)' },
  { model: 'fixed', graph: [4, 3], sent: [4, 3] },
  { model: 'scalar', graph: [], sent: [] },
] as const;

let gateway: RunningGateway;
beforeAll(async () => {
  const files = MODELS.map(({ model, graph }) => [
    `models/${model}/1/model.onnx`,
    identitiesModel(
      DATATYPES.map((datatype) => ({
        input: `in ${datatype}`,
        output: `out ${datatype}`,
        datatype,
        shape: graph,
      })),
    ),
  ]);
  const floats = (['FP16', 'FP32', 'FP64'] as const).map((datatype) => [
    `models/${datatype}/1/model.onnx`,
    identityModel(datatype, ['batch']),
  ]);
  gateway = await startGateway({
    files: {
      ...(Object.fromEntries([...files, ...floats]) as Record<string, Uint8Array>),
      'models/long/1/model.onnx': identityModel('INT64', ['batch', 20_000]),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function infer(model: string, head: string, binary: readonly Uint8Array[] = []): Promise<Response> {
  const json = Buffer.from(head);
  const headers: Record<string, string> = { 'inference-header-content-length': String(json.length) };
  return fetch(gateway.url(`/v2/models/${model}/infer`), {
    method: 'POST',
    body: Buffer.concat([json, ...binary]),
    headers,
  });
}

/** As many elements as the shape takes, over and over again. */
function filled<Item>(items: readonly Item[], shape: readonly number[]): Item[] {
  const length = shape.reduce((count, size) => count * size, 1);
  return Array.from({ length }, (_, index) => items[index % items.length]).filter(
    (item) => item !== undefined,
  );
}

describe.each(MODELS)('$model [$sent]$why', ({ model, sent }) => {
  describe.each(DATATYPES)('%s', (datatype) => {
    const json = filled(EXTREMES[datatype].json, sent).join(',');
    const bytes = Buffer.concat(filled(EXTREMES[datatype].bytes, sent));

    /** All inputs as JSON, the tested one last and as binary data if so wished; its output alone is asked for. */
    async function roundTrip(from: 'json' | 'binary', to: 'json' | 'binary'): Promise<Response> {
      const inputs = DATATYPES.filter((other) => other !== datatype).map((other) => {
        const data = filled(EXTREMES[other].json, sent).join(',');
        return `{"name":"in ${other}","datatype":"${other}","shape":[${sent.join(',')}],"data":[${data}]}`;
      });
      const own = from === 'json' ? `"data":[${json}]` : `"parameters":{"binary_data_size":${bytes.length}}`;
      inputs.push(`{"name":"in ${datatype}","datatype":"${datatype}","shape":[${sent.join(',')}],${own}}`);
      const outputs = `[{"name":"out ${datatype}","parameters":{"binary_data":${to === 'binary'}}}]`;
      return infer(
        model,
        `{"inputs":[${inputs.join(',')}],"outputs":${outputs}}`,
        from === 'json' ? [] : [bytes],
      );
    }

    test.each(['json', 'binary'] as const)('%s in, JSON out, digit by digit', async (from) => {
      const response = await roundTrip(from, 'json');
      expect(await response.text()).toContain(
        `"outputs":[{"name":"out ${datatype}","datatype":"${datatype}","shape":[${sent.join(',')}],"data":[${json}]}]`,
      );
    });

    test.each(['json', 'binary'] as const)('%s in, binary out, bit by bit', async (from) => {
      const { json: head, binary } = await splitAnswer(await roundTrip(from, 'binary'));
      expect(head.outputs).toEqual([
        { name: `out ${datatype}`, datatype, shape: sent, parameters: { binary_data_size: bytes.length } },
      ]);
      expect(binary.toString('hex')).toBe(bytes.toString('hex'));
    });
  });
});

describe('several inputs and outputs at once', () => {
  const body = (fields: object = {}): string => {
    const inputs = DATATYPES.toReversed().map((datatype) => {
      const data = `[${EXTREMES[datatype].json.join(',')}]`;
      return `{"name":"in ${datatype}","datatype":"${datatype}","shape":[4],"data":${data}}`;
    });
    return `{"inputs":[${inputs.join(',')}]${JSON.stringify(fields).replace(/^\{/, ',').replace(/^,\}$/, '}')}`;
  };
  const namesOf = async (response: Response): Promise<unknown[]> =>
    ((await response.json()) as { outputs: { name: unknown }[] }).outputs.map(({ name }) => name);

  test('all outputs come in the model’s order where none is named', async () => {
    expect(await namesOf(await infer('rows', body()))).toEqual(
      DATATYPES.map((datatype) => `out ${datatype}`),
    );
  });

  test('only the named ones come, in the order they were asked for', async () => {
    const names = ['out FP32', 'out BOOL', 'out INT64'];
    const response = await infer('rows', body({ outputs: names.map((name) => ({ name })) }));
    expect(await namesOf(response)).toEqual(names);
  });

  test('JSON and binary data stand beside each other in one request and one answer', async () => {
    const bytes = BigInt64Array.of(2n ** 63n - 1n, -5n);
    const others = DATATYPES.filter((datatype) => datatype !== 'INT64').map(
      (datatype) =>
        `{"name":"in ${datatype}","datatype":"${datatype}","shape":[2],"data":[${EXTREMES[datatype].json.slice(0, 2).join(',')}]}`,
    );
    const own = '{"name":"in INT64","datatype":"INT64","shape":[2],"parameters":{"binary_data_size":16}}';
    const outputs = [{ name: 'out UINT64' }, { name: 'out INT64', parameters: { binary_data: true } }];
    const head = `{"inputs":[${[own, ...others].join(',')}],"outputs":${JSON.stringify(outputs)}}`;
    const response = await infer('rows', head, [new Uint8Array(bytes.buffer)]);
    const { binary } = await splitAnswer(response.clone());
    expect(binary.equals(new Uint8Array(bytes.buffer))).toBe(true);
    expect(await response.text()).toContain('"data":[18446744073709551615,0]');
  });
});

test('a long list of 64-bit integers, read off the main thread, stays exact', async () => {
  const data = Array.from({ length: 20_000 }, (_, index) => 2n ** 62n + BigInt(index)).join(',');
  const head = `{"inputs":[{"name":"INPUT","datatype":"INT64","shape":[1,20000],"data":[${data}]}]}`;
  expect(head.length).toBeGreaterThan(64 * 1024);
  expect(head.length).toBeLessThan(1024 * 1024);
  expect(await (await infer('long', head)).text()).toContain(`"data":[${data}]`);
});

describe('NaN and the infinities', () => {
  // Infinity, -Infinity, a NaN with a payload.
  const bits = {
    FP16: Uint16Array.of(0x7c00, 0xfc00, 0x7e01),
    FP32: Uint32Array.of(0x7f800000, 0xff800000, 0x7fc00123),
    FP64: BigUint64Array.of(0x7ff0n << 48n, 0xfff0n << 48n, 0x7ff8000000000123n),
  };

  test.each(['FP16', 'FP32', 'FP64'] as const)(
    '%s: binary data carries them, JSON is refused',
    async (datatype) => {
      const bytes = new Uint8Array(bits[datatype].buffer);
      const ask = (binary: boolean): Promise<Response> =>
        infer(
          datatype,
          JSON.stringify({
            inputs: [{ name: 'INPUT', datatype, shape: [3], parameters: { binary_data_size: bytes.length } }],
            parameters: { binary_data_output: binary },
          }),
          [bytes],
        );
      expect((await splitAnswer(await ask(true))).binary.equals(bytes)).toBe(true);
      const refused = await ask(false);
      expect(refused.status).toBe(422);
      expect(await refused.json()).toEqual({
        error: expect.stringContaining("output 'OUTPUT' has NaN or infinite values") as string,
      });
    },
  );
});

describe('a value that its type does not hold is refused by the tensor’s name and the element', () => {
  test.each<[Datatype, string, string]>([
    ['BOOL', '2', 'the number 2'],
    ['BOOL', '"true"', 'the string "true"'],
    ['UINT8', '256', 'the number 256'],
    ['UINT16', '-1', 'the number -1'],
    ['UINT32', '4294967296', 'the number 4294967296'],
    ['UINT64', '-1', 'the number -1'],
    ['UINT64', '18446744073709551616', 'the number 18446744073709551616'],
    ['UINT64', 'true', 'the boolean true'],
    ['INT8', '128', 'the number 128'],
    ['INT16', '1.5', 'the number 1.5'],
    ['INT32', 'true', 'the boolean true'],
    ['INT64', '9223372036854775808', 'the number 9223372036854775808'],
    ['INT64', '-9223372036854775809', 'the number -9223372036854775809'],
    ['INT64', '9007199254740993.5', 'the number 9007199254740994'],
    ['INT64', '4503599627370497.5', 'the number 4503599627370498'],
    ['INT64', '1e300', 'the number 1e+300'],
    ['INT64', '"1"', 'the string "1"'],
    ['FP16', '65520', 'the number 65520'],
    ['FP32', '3.5e38', 'the number 3.5e+38'],
    ['FP64', '1e309', 'a number beyond the largest double'],
    ['BYTES', '7', 'the number 7'],
    ['FP32', '[1]', 'a list'],
  ])('%s: %s', async (datatype, literal, told) => {
    const [good = ''] = EXTREMES[datatype].json;
    const response = await infer(
      'rows',
      `{"inputs":[{"name":"in ${datatype}","datatype":"${datatype}","shape":[2],"data":[${good},${literal}]}]}`,
    );
    expect(await response.json()).toEqual({
      error: `inputs[0] ('in ${datatype}').data[1] is ${told}, which is not a ${datatype}`,
    });
    expect(response.status).toBe(400);
  });

  test.each<[string, string, readonly Uint8Array[], string]>([
    [
      'BOOL',
      'a byte beyond 0 and 1',
      [Uint8Array.of(1, 7)],
      'has the byte 7 in its element 1; a BOOL is 0 or 1',
    ],
    [
      'BYTES',
      'a length beyond the end',
      [Uint8Array.of(0, 0, 0, 0, 9, 0, 0, 0, 65)],
      'ends in the middle of its element 1',
    ],
    ['BYTES', 'an element too few', [Uint8Array.of(0, 0, 0, 0)], 'has 1 elements; its shape takes 2'],
  ])('%s as binary data: %s', async (datatype, _, binary, told) => {
    const size = Buffer.concat(binary).length;
    const input = { name: `in ${datatype}`, datatype, shape: [2], parameters: { binary_data_size: size } };
    const response = await infer('rows', JSON.stringify({ inputs: [input] }), binary);
    expect(await response.json()).toEqual({ error: `inputs[0] ('in ${datatype}') ${told}` });
    expect(response.status).toBe(400);
  });

  test('BF16, by name', async () => {
    const input = { name: 'in FP32', datatype: 'BF16', shape: [1], parameters: { binary_data_size: 2 } };
    const response = await infer('rows', JSON.stringify({ inputs: [input] }), [Uint8Array.of(0, 0)]);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error:
        "inputs[0] ('in FP32').datatype is 'BF16', which ONNX Runtime can't take from Node; convert it to FP32",
    });
  });

  test.each([
    ['half of a surrogate pair', '"\\ud800"', "input 'INPUT' has half of a surrogate pair in its element 0"],
    ['a zero byte', '"a\\u0000b"', "input 'INPUT' has a zero byte in its element 0"],
  ])('a string with %s, which the model would get as another one', async (_, literal, told) => {
    const inputs = DATATYPES.map((datatype) => {
      const data = datatype === 'BYTES' ? literal : EXTREMES[datatype].json[0];
      return `{"name":"in ${datatype}","datatype":"${datatype}","shape":[1],"data":[${data ?? ''}]}`;
    });
    const response = await infer('rows', `{"inputs":[${inputs.join(',')}]}`);
    expect(((await response.json()) as { error: string }).error).toContain(told.replace('INPUT', 'in BYTES'));
    expect(response.status).toBe(400);
  });

  test('JSON that is not UTF-8, which would be read as other text', async () => {
    const [head = '', tail = ''] =
      '{"inputs":[{"name":"in BYTES","datatype":"BYTES","shape":[1],"data":["?"]}]}'.split('?');
    const body = Buffer.concat([Buffer.from(head), Buffer.of(0xff), Buffer.from(tail)]);
    const response = await fetch(gateway.url('/v2/models/rows/infer'), { method: 'POST', body });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: 'the request JSON is not UTF-8 text' });
  });
});
