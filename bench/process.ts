import { fork } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../gateway/supervisor/node-flags.ts';
import type { LoadOptions } from './load/http-load.ts';
import type { LoadResult } from './load/load-result.ts';
import type { LoadMessage } from './load/load-process.ts';
import type {
  GatewayPorts,
  LongestTurn,
  ServerMeasure,
  ServerMessage,
  ServerQuestion,
} from './servers/messages.ts';

/** Starts a process with the flags that the gateway's parent gives it: what is compared with it has the same, and a load whose own collections of garbage take the cores is no measure. */
function start(file: string): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const stdio: StdioOptions = ['ignore', 'ignore', 'inherit', 'ipc'];
  const execArgv = [...nodeFlags(availableParallelism(), [])];
  return fork(path, { serialization: 'advanced', stdio, execArgv });
}

function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => {
      reject(new Error(`a process of the bench ended with ${String(code)} before it answered`));
    };
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as Message);
    });
    child.once('exit', onExit);
  });
}

/** The process that the next load runs in, warmed up by those before it. */
let idle: ChildProcess | undefined;

/** Runs a load in a process of its own. One that has run before is taken where there is one: a load that is compiled anew each time takes as much of the machine as the server. */
export async function loadFromOutside(
  options: LoadOptions,
  onUnderWay = (): void => undefined,
): Promise<LoadResult> {
  const child = idle ?? start('./load/load-process.ts');
  idle = undefined;
  child.ref();
  child.channel?.ref();
  child.send(options);
  let answered = await nextMessage<LoadMessage>(child);
  if (answered === 'under way') {
    const result = nextMessage<LoadResult>(child);
    onUnderWay();
    answered = await result;
  }
  // It ends when this process does, which needn't wait for it.
  child.unref();
  child.channel?.unref();
  idle = child;
  if (answered.failures > 0)
    throw new Error(`${answered.failures} of ${answered.answers} answers were errors`);
  return answered;
}

/** Asks a process one question and waits for its one answer. */
export async function askOnce<Answer>(file: string, question: object): Promise<Answer> {
  const child = start(file);
  const answer = nextMessage<Answer>(child);
  child.send(question);
  return answer;
}

/** A server under test, in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  /** Where it serves gRPC too. */
  readonly grpcPort: number | undefined;
  /** Where its metrics are scraped. */
  readonly metricsPort: number | undefined;
  /** Where each of several gateways serves; undefined for a process of one. */
  readonly gateways: readonly GatewayPorts[] | undefined;
  /** Asks the server what it has measured of itself since the last time it was asked. */
  measure(): Promise<ServerMeasure>;
  /** The longest turn of its event loop under a load, from when the load is well under way. */
  longestTurn(load: LoadOptions): Promise<LongestTurn>;
}

export async function startServer(file: string, question: ServerQuestion = {}): Promise<ServerProcess> {
  const child = start(file);
  const ready = nextMessage<Pick<ServerProcess, 'port' | 'grpcPort' | 'metricsPort' | 'gateways'>>(child);
  child.send(question);
  const bound = await ready;
  const tell = (message: ServerMessage): void => {
    child.send(message);
  };
  return {
    ...bound,
    measure() {
      const measured = nextMessage<ServerMeasure>(child);
      tell('measure');
      return measured;
    },
    async longestTurn(load) {
      await loadFromOutside(load, () => {
        tell('watch');
      });
      const turn = nextMessage<LongestTurn>(child);
      tell('turns');
      return turn;
    },
    async [Symbol.asyncDispose]() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      tell('stop');
      await exited;
    },
  };
}
