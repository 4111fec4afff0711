import type { GatewayPorts, LongestTurn, ServerMeasure, ServerMessage, ServerQuestion } from './messages.ts';

export interface RunningServer {
  readonly port: number;
  /** Where it serves gRPC too. */
  readonly grpcPort?: number;
  /** Where its metrics are scraped. */
  readonly metricsPort?: number;
  /** Where each of several gateways serves. */
  readonly gateways?: readonly GatewayPorts[];
  averageBatch(): Promise<number | undefined>;
  stop(): Promise<unknown>;
}

/** Answers the bench's messages: a server under test, in a process of its own. */
export function serveBench(start: (question: ServerQuestion) => Promise<RunningServer>): void {
  process.once('message', (question: ServerQuestion) => {
    void start(question).then((server) => {
      let turns: LoopTurns | undefined;
      let taken = process.threadCpuUsage();
      // Told to stop, or left alone because the bench itself was stopped.
      process.once('disconnect', () => {
        turns?.stop();
        void server.stop();
      });
      const answers: Record<ServerMessage, () => void> = {
        measure() {
          // What asking takes is none of the load's.
          const { user, system } = process.threadCpuUsage(taken);
          void server.averageBatch().then((averageBatch) => {
            taken = process.threadCpuUsage();
            process.send?.({ mainThreadMs: (user + system) / 1000, averageBatch } satisfies ServerMeasure);
          });
        },
        watch() {
          turns = new LoopTurns();
        },
        turns() {
          process.send?.(turns?.stop());
        },
        stop() {
          process.disconnect();
        },
      };
      process.on('message', (message: ServerMessage) => {
        answers[message]();
      });
      const { port, grpcPort, metricsPort, gateways } = server;
      process.send?.({ port, grpcPort, metricsPort, gateways });
    });
  });
}

/** Looks at the clock and at the thread's processor time at every turn of the event loop, or every millisecond when it idles. */
class LoopTurns {
  #cpu = process.threadCpuUsage();
  #clockMs = performance.now();
  #ownMs = 0;
  #byClockMs = 0;
  readonly #timer = setInterval(() => {
    const used = process.threadCpuUsage(this.#cpu);
    const nowMs = performance.now();
    this.#ownMs = Math.max(this.#ownMs, (used.user + used.system) / 1000);
    this.#byClockMs = Math.max(this.#byClockMs, nowMs - this.#clockMs);
    this.#cpu = process.threadCpuUsage();
    this.#clockMs = nowMs;
  }, 1);

  stop(): LongestTurn {
    clearInterval(this.#timer);
    return { ownMs: this.#ownMs, byClockMs: this.#byClockMs };
  }
}
