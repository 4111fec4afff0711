import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { ACCEPTED } from './verdict.ts';
import type { Verdict } from './verdict.ts';

export interface GatewayAddresses {
  /** Host and port. */
  readonly http: string;
  readonly grpc: string;
}

/** A request over HTTP. */
export interface Exchange {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface Exchanged {
  readonly status: number;
  readonly body: Buffer;
}

/** Numbers of well-behaved callers: no seed has them, and no mutation makes them. */
const FIRST_CANARY = 7_340_033;
const LAST_CANARY = 7_399_999;

/** One of them, as JSON writes it. */
const CANARY = /(?<![\d.])73[4-9]\d{4}(?![\d.])/;

/** One well-behaved call goes out for so many of the others. */
const CANARY_EVERY = 8;

/** A gateway that is sent bad inputs, and good ones between them. */
export class FuzzedGateway implements AsyncDisposable {
  readonly addresses: GatewayAddresses;
  readonly #ended: Promise<string>;
  readonly #child: ReturnType<typeof fork>;
  readonly #pool: Pool;
  #end: string | undefined;
  #calls = 0;
  #canary = FIRST_CANARY;

  static async start(): Promise<FuzzedGateway> {
    const child = fork(fileURLToPath(new URL('gateway-process.ts', import.meta.url)), {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const addresses = await new Promise<GatewayAddresses>((resolve, reject) => {
      child.once('message', (message) => {
        resolve(message as GatewayAddresses);
      });
      child.once('exit', (code) => {
        reject(new Error(`the gateway ended with ${String(code)} before it was ready`));
      });
    });
    return new FuzzedGateway(child, addresses);
  }

  private constructor(child: ReturnType<typeof fork>, addresses: GatewayAddresses) {
    this.#child = child;
    this.addresses = addresses;
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#end = `the gateway's process ended with ${String(code ?? signal)}`;
        resolve(this.#end);
      });
    });
    // Its own body timeout is what ends an answer that doesn't come.
    this.#pool = new Pool(`http://${addresses.http}`, {
      connections: 32,
      headersTimeout: 20_000,
      bodyTimeout: 20_000,
    });
  }

  async send({ path, headers = {}, body }: Exchange): Promise<Exchanged> {
    const answer = await this.#pool.request({ method: 'POST', path, headers, body });
    return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
  }

  /** Sends a bad input, and every few calls a good one beside it. */
  async attempt(exchange: Exchange): Promise<Verdict> {
    const canary = this.#calls++ % CANARY_EVERY === 0 ? this.#sendCanary() : undefined;
    const [verdict, wrong] = await Promise.all([this.#judge(exchange), canary]);
    return wrong === undefined ? verdict : { kind: 'finding', reason: wrong };
  }

  async memoryBytes(): Promise<number> {
    const answer = new Promise<number>((resolve) => {
      this.#child.once('message', (bytes) => {
        resolve(Number(bytes));
      });
    });
    this.#child.send('memory');
    return Promise.race([answer, this.#ended.then(() => Number.NaN)]);
  }

  /** Undefined where all is well: a call between bad ones is answered, and with its own numbers. */
  async checkCanary(): Promise<string | undefined> {
    return this.#sendCanary();
  }

  /** What has become of the process, if it is gone. */
  get end(): string | undefined {
    return this.#end;
  }

  async #judge(exchange: Exchange): Promise<Verdict> {
    try {
      return judgeAnswer(await this.send(exchange), exchange.body);
    } catch (error) {
      return { kind: 'finding', reason: this.#end ?? `no answer: ${String(error)}` };
    }
  }

  async #sendCanary(): Promise<string | undefined> {
    const data = Array.from({ length: 4 }, () => this.#nextCanary());
    const inputs = [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data }];
    try {
      const body = Buffer.from(JSON.stringify({ inputs }));
      const answer = await this.send({ path: '/v2/models/simple/infer', body });
      // Where there is too much to do, anybody may be asked to come again.
      if (answer.status === 503) return undefined;
      const text = answer.body.toString();
      const read =
        answer.status === 200 ? (JSON.parse(text) as { outputs: { data: number[] }[] }) : undefined;
      const got = read?.outputs[0]?.data;
      return JSON.stringify(got) === JSON.stringify(data)
        ? undefined
        : `a well-formed call beside it sent ${data.join()} and was answered ${answer.status} ${text.slice(0, 300)}`;
    } catch (error) {
      return this.#end ?? `a well-formed call beside it had no answer: ${String(error)}`;
    }
  }

  #nextCanary(): number {
    const canary = this.#canary;
    this.#canary = canary === LAST_CANARY ? FIRST_CANARY : canary + 1;
    return canary;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
    if (this.#end === undefined) this.#child.send('stop');
    await this.#ended;
  }
}

/** The gateway that an entry sends to, and what ends it where it is the entry's own. */
export async function gatewayFor(
  shared: FuzzedGateway | undefined,
): Promise<{ readonly gateway: FuzzedGateway; readonly release: () => Promise<void> }> {
  if (shared !== undefined) return { gateway: shared, release: () => Promise.resolve() };
  const gateway = await FuzzedGateway.start();
  return { gateway, release: () => gateway[Symbol.asyncDispose]() };
}

/** Whether a well-behaved caller's number stands in binary tensors, and was not sent with the request itself. */
function hasCanaryFloat(body: Buffer, sent: Uint8Array): boolean {
  for (let at = 0; at + 4 <= body.length; at += 1) {
    const value = body.readFloatLE(at);
    if (!Number.isInteger(value) || value < FIRST_CANARY || value > LAST_CANARY) continue;
    if (!Buffer.from(sent).includes(body.subarray(at, at + 4))) return true;
  }
  return false;
}

/** What an answer over HTTP says of the gateway. */
export function judgeAnswer({ status, body }: Exchanged, sent: Uint8Array): Verdict {
  const text = body.toString('latin1');
  if (status < 300) {
    return CANARY.test(text) || hasCanaryFloat(body, sent)
      ? { kind: 'finding', reason: `another caller's numbers are in the answer: ${text.slice(0, 300)}` }
      : ACCEPTED;
  }
  const isRefusal = status < 500 || status === 501 || status === 503;
  if (!isRefusal) return { kind: 'finding', reason: `answered ${status} ${text.slice(0, 500)}` };
  if (/\bat .+\.[jt]s:\d+/.test(text))
    return { kind: 'finding', reason: `a stack trace is in the answer: ${text.slice(0, 500)}` };
  return { kind: 'refused', as: String(status) };
}
