import { fileURLToPath } from 'node:url';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import type { CallOptions, ChannelCredentials, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PROTOS = fileURLToPath(new URL('../../../../gateway/faces/grpc/protos/', import.meta.url));

type Message = Readonly<Record<string, unknown>>;

interface Method {
  readonly path: string;
  readonly requestSerialize: (message: Message) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Message;
}

/** The methods of a .proto file's service, by their names; read by a protobuf library, which the gateway's own codec must suit. */
export function methodsOf(file: string, service: string): Readonly<Record<string, Method>> {
  const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
  const definition = loadSync(file, { ...options, includeDirs: [PROTOS, ROOT] })[service];
  return definition as unknown as Readonly<Record<string, Method>>;
}

const INFERENCE = methodsOf('inference.proto', 'inference.GRPCInferenceService');
const HEALTH = methodsOf('health.proto', 'grpc.health.v1.Health');
const REFLECTION = methodsOf('reflection-v1.proto', 'grpc.reflection.v1.ServerReflection');

export interface Answer {
  readonly message: Message;
  /** The answer's initial metadata. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A client over @grpc/grpc-js, as an application in Node has it. */
export class GrpcClient implements Disposable {
  readonly #client: Client;

  /** @param options of the channel, beside those that take messages of any size */
  constructor(
    address: string,
    channel: ChannelCredentials = credentials.createInsecure(),
    options: Readonly<Record<string, string | number>> = {},
  ) {
    this.#client = new Client(address, channel, {
      ...options,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  }

  /** Calls a unary method of the inference service. @throws ServiceError */
  async call(
    name: string,
    message: Message,
    headers: Readonly<Record<string, string>> = {},
    options: CallOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = methodOf({ ...INFERENCE, ...HEALTH }, name);
    const answered: { headers: Record<string, string> } = { headers: {} };
    const answer = await new Promise<Message>((resolve, reject) => {
      const onAnswer = (error: ServiceError | null, value?: Message): void => {
        if (error !== null) reject(error);
        else resolve(value ?? {});
      };
      const { signal, ...callOptions } = options;
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        metadataOf(headers),
        callOptions,
        onAnswer,
      );
      signal?.addEventListener('abort', () => {
        call.cancel();
      });
      call.on('metadata', (metadata: Metadata) => {
        answered.headers = Object.fromEntries(
          Object.entries(metadata.getMap()).map(([key, value]) => [key, String(value)]),
        );
      });
    });
    return { message: answer, ...answered };
  }

  /** Opens a stream of the inference service, or of reflection. */
  stream(name: string, headers: Readonly<Record<string, string>> = {}): ClientDuplexStream<Message, Message> {
    const { path, requestSerialize, responseDeserialize } = methodOf({ ...INFERENCE, ...REFLECTION }, name);
    return this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(headers),
    );
  }

  /** What `Watch` says, as it comes. */
  watch(service: string): AsyncIterable<Message> {
    const { path, requestSerialize, responseDeserialize } = methodOf(HEALTH, 'Watch');
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service });
  }

  /** Sends bytes that may be no message at all. */
  sendBytes(name: string, bytes: Uint8Array): Promise<unknown> {
    const { path } = methodOf(INFERENCE, name);
    return new Promise((resolve, reject) => {
      const keep = (value: Buffer): Buffer => value;
      this.#client.makeUnaryRequest(path, keep, keep, Buffer.from(bytes), (error, value) => {
        if (error === null) resolve(value);
        else reject(error);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function methodOf(methods: Readonly<Record<string, Method>>, name: string): Method {
  const method = methods[name];
  if (method === undefined) throw new Error(`there is no method ${name}`);
  return method;
}

function metadataOf(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

/** A ModelInferRequest of one FP32 input of four. */
export function inferRequest(fields: Message = {}): Message {
  return {
    model_name: 'simple',
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 4] }],
    raw_input_contents: [Buffer.from(Float32Array.of(1, 2.5, -3, 4).buffer)],
    ...fields,
  };
}
