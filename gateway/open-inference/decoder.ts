import { ThreadDied, ThreadPool } from '../../backends/thread-pool.ts';
import { GatewayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { readV2Request } from './request.ts';
import type { V2Request } from './request.ts';

/** JSON beyond this is parsed on a thread of its own: 64 MiB of it would hold the main thread for 0.4 s. */
const OFFLOAD_FROM_JSON_BYTES = 1024 * 1024;

/** 64-bit integers beyond 2^53 take some ten times as long, so JSON that may have them goes there from this size on. */
const OFFLOAD_INTEGERS_FROM_JSON_BYTES = 64 * 1024;

/** Strings among binary data are read one by one. */
const OFFLOAD_STRINGS_FROM_BINARY_BYTES = 64 * 1024;

/** Two, so that one very large body doesn't hold up all others. */
const THREADS = 2;

/** Bodies that may wait for a thread; the budget for bodies bounds their memory. */
const MOST_WAITING = 4096;

export interface DecodeJob {
  readonly body: Uint8Array;
  readonly jsonBytes: number | undefined;
}

export type DecodeResult =
  | { readonly kind: 'read'; readonly request: V2Request }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** How long the caller of a large body waits for it to be read. */
export interface DecodePatience {
  /** When the request is of no more use, in `performance.now()` milliseconds. */
  readonly deadlineMs: number;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal | undefined;
}

/** Reads v2 requests: small ones in place, large JSON on worker threads, which are started when they are first needed. */
export class V2Decoder {
  readonly #threads = new ThreadPool<DecodeJob, DecodeResult>({
    script: new URL('./decode-worker.ts', import.meta.url),
    size: THREADS,
    mostWaiting: MOST_WAITING,
  });

  /** @throws GatewayError, BackendError `cancelled`, `expired_in_queue`, `threads_busy` or `unavailable` */
  decode(
    body: Uint8Array | undefined,
    jsonBytes: number | undefined,
    patience: DecodePatience,
  ): V2Request | Promise<V2Request> {
    const bytes = body ?? new Uint8Array();
    return isHeavy(bytes, jsonBytes ?? bytes.length)
      ? this.#offload(bytes, jsonBytes, patience)
      : readV2Request(bytes, jsonBytes);
  }

  /** Ends the threads once what they read has been read. */
  close(): Promise<void> {
    return this.#threads.close();
  }

  async #offload(
    body: Uint8Array,
    jsonBytes: number | undefined,
    patience: DecodePatience,
  ): Promise<V2Request> {
    // A copy: another version may be asked about the same body.
    const toJob = (): readonly [DecodeJob, readonly ArrayBuffer[]] => {
      const copy = Uint8Array.from(body);
      return [{ body: copy, jsonBytes }, [copy.buffer]];
    };
    let result: DecodeResult;
    try {
      result = await this.#threads.run({ toJob, ...patience });
    } catch (error) {
      if (!(error instanceof ThreadDied)) throw error;
      const message = 'the JSON needs more memory than there is to read it';
      throw new GatewayError('invalid_request', message, { cause: error });
    }
    if (result.kind === 'read') return result.request;
    throw new GatewayError(result.code, result.message);
  }
}

function isHeavy(body: Uint8Array, jsonBytes: number): boolean {
  if (jsonBytes >= OFFLOAD_FROM_JSON_BYTES) return true;
  const says = (datatype: string): boolean =>
    Buffer.from(body.buffer, body.byteOffset, Math.min(jsonBytes, body.length)).includes(datatype);
  return (
    (jsonBytes >= OFFLOAD_INTEGERS_FROM_JSON_BYTES && says('INT64')) ||
    (body.length - jsonBytes >= OFFLOAD_STRINGS_FROM_BINARY_BYTES && says('BYTES'))
  );
}
