import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { identitiesModel } from '../../models/small-models.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

/** A gateway over small models of every kind, with an experiment on the model `simple`, and calls to it. */
export class V2Gateway implements AsyncDisposable {
  readonly #gateway: RunningGateway;

  static async start(): Promise<V2Gateway> {
    const logOfInput = encodeModel({
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
      outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
      nodes: [{ op: 'Log', inputs: ['INPUT'], outputs: ['OUTPUT'] }],
    });
    const gateway = await startGateway({
      config: 'server: { name: triton, bodyLimit: 8MiB }',
      files: {
        'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
        'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
        'models/wide/1/model.onnx': identityModel('FP32', ['batch', 100_000]),
        'models/integers/1/model.onnx': identityModel('INT64', ['batch', 2]),
        'models/text/1/model.onnx': identityModel('BYTES', ['batch', 2]),
        'models/log/1/model.onnx': logOfInput,
        'models/labelled/1/model.onnx': identityModel('FP32', ['batch', 4]),
        'models/labelled/config.yaml':
          'max_batch_size: 8\ndynamic_batching: { preferred_batch_size: [4], max_queue_delay_microseconds: 500 }\n' +
          'signalbox: { labels: labels.txt }\n',
        'models/labelled/labels.txt': 'ant\nbee\ncat\n',
        'models/heads/1/model.onnx': identitiesModel(
          ['SPECIES', 'COLOUR', 'SIZE'].map((output) => ({
            input: `${output}_IN`,
            output,
            datatype: 'FP32',
            shape: ['batch', 2],
          })),
        ),
        'models/heads/config.pbtxt':
          'max_batch_size: 8\n' +
          ['SPECIES', 'COLOUR', 'SIZE']
            .map((name) => `input { name: "${name}_IN" data_type: TYPE_FP32 dims: 2 }\n`)
            .join('') +
          'output { name: "SIZE" data_type: TYPE_FP32 dims: 2 }\n' +
          'output { name: "COLOUR" data_type: TYPE_FP32 dims: 2 label_filename: "colours.txt" }\n' +
          'output { name: "SPECIES" data_type: TYPE_FP32 dims: 2 label_filename: "species.txt" }\n',
        'models/heads/colours.txt': 'red\nblue\n',
        'models/heads/species.txt': 'cat\ndog\n',
        'models/unbatched/1/model.onnx': identityModel('FP16', [3, 'width']),
        'models/broken/1/model.onnx': 'this is not ONNX',
        'experiments/simple.yaml': experimentFile({ key: 'simple-ab', model: 'simple' }),
      },
    });
    return new V2Gateway(gateway);
  }

  private constructor(gateway: RunningGateway) {
    this.#gateway = gateway;
  }

  get(path: string): Promise<Response> {
    return fetch(this.#gateway.url(path));
  }

  /** A call without a body, by any method. */
  send(path: string, method: string): Promise<Response> {
    return fetch(this.#gateway.url(path), { method });
  }

  /** The level that it logs from. */
  get logLevel(): string {
    return this.#gateway.server.gateway.log.level;
  }

  /** Host and port of the data plane over HTTP. */
  get address(): string {
    return new URL(this.#gateway.url('/')).host;
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const bytes = body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body);
    return fetch(this.#gateway.url(path), { method: 'POST', body: bytes as string, headers });
  }

  /** Sends a body whose length is not announced. */
  postStream(path: string, body: ReadableStream): Promise<Response> {
    const options = { method: 'POST', body, duplex: 'half' };
    return fetch(this.#gateway.url(path), options as RequestInit);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#gateway[Symbol.asyncDispose]());
  }
}

/** An input of the model `simple`. */
export const INPUT = { name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2.5, -3, 4e-3] };

/** The message of an error's answer, which has nothing else. */
export async function errorOf(response: Response): Promise<string> {
  const body = (await response.json()) as { error: string };
  if (Object.keys(body).join() !== 'error') throw new Error(`not an error: ${JSON.stringify(body)}`);
  return body.error;
}

/** A body of JSON followed by binary tensors, and the header that says where the one ends. */
export function binaryBody(json: object, tensors: readonly Uint8Array[]) {
  const head = Buffer.from(JSON.stringify(json));
  return {
    body: Buffer.concat([head, ...tensors]),
    headers: { 'inference-header-content-length': String(head.length) },
  };
}

/** The JSON and the binary part of an answer. */
export async function splitAnswer(response: Response) {
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length'));
  return {
    json: JSON.parse(bytes.toString('utf8', 0, length)) as {
      outputs: { parameters: { binary_data_size: number } }[];
    },
    binary: bytes.subarray(length),
  };
}
