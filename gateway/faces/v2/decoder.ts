import { Worker } from 'node:worker_threads';
import { GatewayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { readV2Request } from './request.ts';
import type { V2Request } from './request.ts';

/** JSON beyond this is parsed on a thread of its own: 64 MiB of it would hold the main thread for 0.4 s. */
const OFFLOAD_FROM_JSON_BYTES = 1024 * 1024;

/** 64-bit integers beyond 2^53 take some ten times as long, so JSON that may have them goes there from this size on. */
const OFFLOAD_INTEGERS_FROM_JSON_BYTES = 64 * 1024;

export interface DecodeJob {
  readonly id: number;
  readonly body: Uint8Array;
  readonly jsonBytes: number | undefined;
}

export type DecodeResult =
  | { readonly id: number; readonly kind: 'read'; readonly request: V2Request }
  | { readonly id: number; readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

interface Waiting {
  resolve(request: V2Request): void;
  reject(error: Error): void;
}

/** Reads v2 requests: small ones in place, large JSON on a worker thread, which is started when it is first needed. */
export class V2Decoder {
  #worker: Worker | undefined;
  #nextId = 0;
  readonly #waiting = new Map<number, Waiting>();

  /** @throws GatewayError */
  decode(body: Uint8Array | undefined, jsonBytes: number | undefined): V2Request | Promise<V2Request> {
    const bytes = body ?? new Uint8Array();
    return isHeavy(bytes, jsonBytes ?? bytes.length)
      ? this.#offload(bytes, jsonBytes)
      : readV2Request(bytes, jsonBytes);
  }

  /** Ends the worker once what it reads has been read. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage('close');
    await exited;
  }

  #offload(body: Uint8Array, jsonBytes: number | undefined): Promise<V2Request> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const job: DecodeJob = { id, body, jsonBytes };
      // A body that has its block to itself is handed over; nobody else reads it.
      const { buffer } = body;
      const owns = buffer instanceof ArrayBuffer && buffer.byteLength === body.byteLength;
      worker.postMessage(job, owns ? [buffer] : []);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./decode-worker.ts', import.meta.url));
    worker.on('message', (result: DecodeResult) => {
      const waiting = this.#waiting.get(result.id);
      this.#waiting.delete(result.id);
      if (result.kind === 'read') waiting?.resolve(result.request);
      else waiting?.reject(new GatewayError(result.code, result.message));
    });
    worker.on('error', (cause) => {
      // Out of heap: the requests it held are lost to it, and the next one starts another.
      if (this.#worker === worker) this.#worker = undefined;
      const error = new GatewayError(
        'invalid_request',
        'the JSON needs more memory than there is to read it',
        { cause },
      );
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
    });
    return worker;
  }
}

function isHeavy(body: Uint8Array, jsonBytes: number): boolean {
  if (jsonBytes < OFFLOAD_INTEGERS_FROM_JSON_BYTES) return false;
  if (jsonBytes >= OFFLOAD_FROM_JSON_BYTES) return true;
  return Buffer.from(body.buffer, body.byteOffset, Math.min(jsonBytes, body.length)).includes('INT64');
}
