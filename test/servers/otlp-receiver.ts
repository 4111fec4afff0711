import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A span as a receiver of OTLP read it from the wire. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it is the first of its trace here. */
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 0 unset, 2 error. */
  readonly status: number;
  readonly resource: Readonly<Record<string, unknown>>;
}

export type FromReceiver =
  | { readonly kind: 'listening'; readonly port: number }
  /** @property key the header x-key that it came with */
  | { readonly kind: 'span'; readonly span: ReceivedSpan; readonly key: string | string[] | undefined };

export interface OtlpReceiver extends Disposable {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  readonly keys: ReadonlySet<unknown>;
}

/** Starts a receiver of traces in a process of its own. */
export function startOtlpReceiver(): Promise<OtlpReceiver> {
  const child = fork(fileURLToPath(new URL('otlp-receiver-process.ts', import.meta.url)), { execArgv: [] });
  const spans: ReceivedSpan[] = [];
  const keys = new Set<unknown>();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      reject(new Error(`the receiver ended with ${String(code)}`));
    });
    child.on('message', (message: FromReceiver) => {
      if (message.kind === 'span') {
        spans.push(message.span);
        keys.add(message.key);
        return;
      }
      resolve({
        endpoint: `http://127.0.0.1:${message.port}`,
        spans,
        keys,
        [Symbol.dispose]: () => child.kill('SIGKILL'),
      });
    });
  });
}
