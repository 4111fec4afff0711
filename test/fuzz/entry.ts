import type { FuzzedGateway } from './fuzzed-gateway.ts';
import { ACCEPTED } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** A way in, ready to be tried. */
export interface OpenEntry extends AsyncDisposable {
  /** Well-formed inputs; each is accepted. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the format. */
  readonly tokens: readonly string[];
  readonly attempt: (input: Buffer) => Verdict | Promise<Verdict>;
  /** Inputs under way at once; 1 for what runs in this process. */
  readonly concurrency: number;
  /** Bytes that what reads the inputs holds now. */
  readonly memoryBytes: () => number | Promise<number>;
}

/** A way in for bytes that strangers, or files, bring. */
export interface Entry {
  readonly name: string;
  /** @param shared a gateway that is used, and not ended; left out: what is sent to one starts its own */
  readonly open: (shared?: FuzzedGateway) => Promise<OpenEntry>;
}

/** A reader in this process: it reads, or throws one of the errors that it says it throws. */
export function reader(
  name: string,
  {
    seeds,
    tokens,
    read,
    isRefusal,
  }: {
    readonly seeds: readonly (string | Uint8Array)[];
    readonly tokens: readonly string[];
    readonly read: (input: Buffer) => unknown;
    readonly isRefusal: (error: unknown) => string | undefined;
  },
): Entry {
  return {
    name,
    open: () =>
      Promise.resolve({
        seeds: seeds.map((seed) => Buffer.from(seed)),
        tokens,
        concurrency: 1,
        memoryBytes: heapInUse,
        attempt: async (input: Buffer): Promise<Verdict> => {
          try {
            await read(input);
            return ACCEPTED;
          } catch (error) {
            const as = isRefusal(error);
            if (as !== undefined) return { kind: 'refused', as };
            return {
              kind: 'finding',
              reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
            };
          }
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  };
}

/** After a collection, where this process may ask for one. */
function heapInUse(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
