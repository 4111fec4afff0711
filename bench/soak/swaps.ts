import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { weightyAddingModel } from '../models/weighty-adding.ts';
import type { FromSwapServer, ToSwapServer } from './swap-messages.ts';

export interface SwapSoak {
  /** How often the model is replaced. */
  readonly swaps: number;
  /** Callers that ask all the time, each one request after the other. */
  readonly callers: number;
  /** Answers before the first swap: under load alone V8 grows to its working size first. */
  readonly warmAnswers: number;
  /** Told after each swap of the serving process's memory. */
  readonly onSwap?: (swap: number, rssBytes: number) => void;
}

export interface SwapReport {
  readonly answers: number;
  /** Answers that were no 200, each told once by its text. */
  readonly failures: ReadonlyMap<string, number>;
  /** Answers that no version gave that was live between the request and the answer, or that two versions gave. */
  readonly wrong: readonly string[];
  readonly seconds: number;
  /** The serving process's memory after each swap, in bytes. */
  readonly rssBytes: readonly number[];
}

/**
 * Replaces a model again and again while callers ask, over HTTP, through the whole gateway. The model adds the number of its
 * swap to what it is sent, so that each answer says which version gave it.
 */
export async function soakSwaps(soak: SwapSoak): Promise<SwapReport> {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-soak-'));
  try {
    await writeFile(
      join(folder, 'signalbox.yaml'),
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models, control: explicit, load: [soak] }\n',
    );
    await mkdir(join(folder, 'models/soak/1'), { recursive: true });
    await writeModel(folder, 0);
    const server = new SwapServer(join(folder, 'signalbox.yaml'));
    try {
      return await run(server, folder, soak);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(server: SwapServer, folder: string, soak: SwapSoak): Promise<SwapReport> {
  const { swaps, callers, warmAnswers, onSwap } = soak;
  const port = await server.ready();
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: callers });
  const failures = new Map<string, number>();
  const wrong: string[] = [];
  const rssBytes: number[] = [];
  let [answers, oldest, newest] = [0, 0, 0];
  let isOver = false;

  const caller = async (seed: number): Promise<void> => {
    for (let asked = seed; !isOver; asked = (asked + 7919) % 100_000) {
      const lowest = oldest;
      const { status, body } = await ask(pool, asked);
      answers += 1;
      if (status !== 200) {
        failures.set(body, (failures.get(body) ?? 0) + 1);
        continue;
      }
      const [first = NaN, second = NaN] = dataOf(body);
      const swap = first - asked;
      const isLive = Number.isInteger(swap) && swap >= lowest && swap <= newest;
      if (!isLive || second !== 2 * asked + swap) {
        wrong.push(`asked ${asked} while ${lowest} to ${newest} were live, answered ${first}, ${second}`);
      }
    }
  };

  const startMs = performance.now();
  const calling = Promise.all(Array.from({ length: callers }, (_, index) => caller(index)));
  while (answers < warmAnswers) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let swap = 1; swap <= swaps; swap++) {
    await writeModel(folder, swap);
    newest = swap;
    const bytes = await server.swap();
    rssBytes.push(bytes);
    onSwap?.(swap, bytes);
    oldest = swap;
  }
  isOver = true;
  await calling;
  await pool.close();
  return { answers, failures, wrong, rssBytes, seconds: (performance.now() - startMs) / 1000 };
}

async function ask(pool: Pool, asked: number): Promise<{ readonly status: number; readonly body: string }> {
  const inputs = [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [asked, 2 * asked] }];
  const response = await pool.request({
    method: 'POST',
    path: '/v2/models/soak/infer',
    body: JSON.stringify({ inputs }),
  });
  return { status: response.statusCode, body: await response.body.text() };
}

function dataOf(body: string): readonly number[] {
  const answer = JSON.parse(body) as { readonly outputs: readonly { readonly data: readonly number[] }[] };
  return answer.outputs[0]?.data ?? [];
}

/** As a careful deployment does it: written beside, then moved into place. */
async function writeModel(folder: string, swap: number): Promise<void> {
  await writeFile(join(folder, 'next.onnx'), weightyAddingModel(swap));
  await rename(join(folder, 'next.onnx'), join(folder, 'models/soak/1/model.onnx'));
}

/** The process that serves. */
class SwapServer {
  readonly #child: ChildProcess;
  readonly #first: Promise<FromSwapServer>;

  constructor(config: string) {
    this.#child = fork(fileURLToPath(new URL('./swap-server.ts', import.meta.url)), [config], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: ['--expose-gc'],
    });
    this.#first = this.#next();
  }

  async ready(): Promise<number> {
    const message = await this.#first;
    if (message.kind !== 'ready') throw new Error(`the serving process said ${message.kind} first`);
    return message.port;
  }

  /** @returns its memory in bytes */
  async swap(): Promise<number> {
    const answer = this.#next();
    this.#child.send('swap' satisfies ToSwapServer);
    const message = await answer;
    if (message.kind !== 'swapped') {
      throw new Error(`a swap failed: ${message.kind === 'failed' ? message.reason : message.kind}`);
    }
    return message.rssBytes;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.send('stop' satisfies ToSwapServer);
    await exited;
  }

  #next(): Promise<FromSwapServer> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        reject(new Error(`the serving process ended with ${String(code)}`));
      };
      this.#child.once('exit', onExit);
      this.#child.once('message', (message) => {
        this.#child.off('exit', onExit);
        resolve(message as FromSwapServer);
      });
    });
  }
}
