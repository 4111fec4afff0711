import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A service as its .proto file has it. */
export interface Definition {
  /** Its full name, as `grpc.health.v1.Health`. */
  readonly name: string;
  readonly service: ServiceDefinition;
  /** Everything that its package names: the service, its methods, messages and enums. */
  readonly symbols: readonly string[];
  /** A FileDescriptorProto of the package, serialised: what reflection answers with. */
  readonly file: Buffer;
}

/** Where imports of .proto files are looked for. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Reads a .proto file that has one service, with what it imports of the same package. */
function define(file: string): Definition {
  const path = fileURLToPath(new URL(`./protos/${file}`, import.meta.url));
  const definitions = loadSync(path, {
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
    includeDirs: [ROOT],
  });
  let found: { readonly name: string; readonly service: ServiceDefinition } | undefined;
  let descriptor: Buffer | undefined;
  const symbols: string[] = [];
  for (const [name, definition] of Object.entries(definitions)) {
    if (isType(definition)) {
      descriptor ??= definition.fileDescriptorProtos[0];
      symbols.push(name, ...symbolsInside(definition.type, name));
    } else {
      found = { name, service: definition };
      symbols.push(name, ...Object.keys(definition).map((method) => `${name}.${method}`));
    }
  }
  if (found === undefined || descriptor === undefined) throw new Error(`${path} has no service`);
  return { ...found, symbols, file: descriptor };
}

type Loaded = ReturnType<typeof loadSync>[string];
type LoadedType = Extract<Loaded, { fileDescriptorProtos: Buffer[] }>;

function isType(definition: Loaded): definition is LoadedType {
  return 'fileDescriptorProtos' in definition && Array.isArray(definition.fileDescriptorProtos);
}

/** The full names of the messages and enums that a message has inside. */
function symbolsInside(descriptor: object, name: string): readonly string[] {
  const { nestedType = [], enumType = [] } = descriptor as Descriptor;
  return [
    ...enumType.map((inner) => `${name}.${inner.name}`),
    ...nestedType.flatMap((inner) => [
      `${name}.${inner.name}`,
      ...symbolsInside(inner, `${name}.${inner.name}`),
    ]),
  ];
}

/** What is looked at of a DescriptorProto or EnumDescriptorProto, which the loader types as any object. */
interface Descriptor {
  readonly name: string;
  readonly nestedType?: readonly Descriptor[];
  readonly enumType?: readonly Descriptor[];
}

const inference = define('inference.proto');

/** Requests and answers of tensors stay bytes: they are read and written in place, by the face itself. */
const AS_BYTES: Pick<MethodDefinition<Buffer, Buffer>, 'requestDeserialize' | 'responseSerialize'> = {
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
};

export const INFERENCE: Definition = {
  ...inference,
  service: {
    ...inference.service,
    ModelInfer: { ...methodOf(inference, 'ModelInfer'), ...AS_BYTES },
    ModelStreamInfer: { ...methodOf(inference, 'ModelStreamInfer'), ...AS_BYTES },
  },
};

export const HEALTH = define('health.proto');

/** The same protocol twice: older clients ask for its first name. */
export const REFLECTIONS = [define('reflection-v1.proto'), define('reflection-v1alpha.proto')];

function methodOf({ name, service }: Definition, method: string): ServiceDefinition[string] {
  const found = service[method];
  if (found === undefined) throw new Error(`${name} has no method ${method}`);
  return found;
}
