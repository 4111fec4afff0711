import { status } from '@grpc/grpc-js';
import type { UntypedServiceImplementation, handleBidiStreamingCall } from '@grpc/grpc-js';
import type { Definition } from './definitions.ts';
import type { OpenStreams } from './open-streams.ts';

interface ReflectionRequest {
  readonly host: string;
  readonly message_request?: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
}

/** Server reflection: tells a client that has no .proto files which services there are, and what their messages look like. */
export function reflectionService(
  definitions: readonly Definition[],
  open: OpenStreams,
): UntypedServiceImplementation {
  const files = new Map<string, Buffer>();
  const filesBySymbol = new Map<string, Buffer>();
  for (const { symbols, file } of definitions) {
    files.set(nameOfFile(file), file);
    for (const symbol of symbols) filesBySymbol.set(symbol, file);
  }
  const answerOf = (request: ReflectionRequest): object => {
    switch (request.message_request) {
      case 'list_services':
        return { list_services_response: { service: definitions.map(({ name }) => ({ name })) } };
      case 'file_by_filename':
        return fileAnswer(files.get(request.file_by_filename ?? ''), 'file', request.file_by_filename);
      case 'file_containing_symbol': {
        const symbol = request.file_containing_symbol;
        return fileAnswer(filesBySymbol.get(symbol ?? ''), 'symbol', symbol);
      }
      default:
        return failure(status.UNIMPLEMENTED, 'there are no extensions: the protocols are of proto3');
    }
  };
  const info: handleBidiStreamingCall<ReflectionRequest, object> = (call) => {
    const stop = (): void => {
      call.end();
    };
    open.add(stop);
    call.on('data', (request: ReflectionRequest) => {
      call.write({ valid_host: request.host, original_request: request, ...answerOf(request) });
    });
    call.on('end', stop);
    call.once('cancelled', () => {
      open.delete(stop);
    });
  };
  return { ServerReflectionInfo: info };
}

function fileAnswer(file: Buffer | undefined, what: string, name = ''): object {
  if (file === undefined) return failure(status.NOT_FOUND, `unknown ${what} '${name.slice(0, 200)}'`);
  return { file_descriptor_response: { file_descriptor_proto: [file] } };
}

function failure(code: status, message: string): object {
  return { error_response: { error_code: code, error_message: message } };
}

/** The first field of a FileDescriptorProto: tag, length (a file's name has less than 128 bytes), text. */
function nameOfFile(file: Buffer): string {
  return file.toString('utf8', 2, 2 + (file[1] ?? 0));
}
