import type { ServerMeasure, ServerQuestion } from './messages.ts';

export interface RunningServer {
  readonly port: number;
  /** Where it serves gRPC too. */
  readonly grpcPort?: number;
  averageBatch(): Promise<number | undefined>;
  stop(): Promise<unknown>;
}

/** Answers the bench's messages: a server under test, in a process of its own. */
export function serveBench(start: (question: ServerQuestion) => Promise<RunningServer>): void {
  process.once('message', (question: ServerQuestion) => {
    void start(question).then((server) => {
      const turns = new LoopTurns();
      // Told to stop, or left alone because the bench itself was stopped.
      process.once('disconnect', () => {
        turns.stop();
        void server.stop();
      });
      process.on('message', (message) => {
        if (message === 'stop') {
          process.disconnect();
          return;
        }
        void server.averageBatch().then((averageBatch) => {
          process.send?.({ ...turns.take(), averageBatch } satisfies ServerMeasure);
        });
      });
      process.send?.({ port: server.port, grpcPort: server.grpcPort });
    });
  });
}

/** Looks at the clock and at the thread's processor time at every turn of the event loop, or every millisecond when it idles. */
class LoopTurns {
  #cpu = process.threadCpuUsage();
  #clockMs = performance.now();
  #longestMs = 0;
  #longestByClockMs = 0;
  #taken = process.threadCpuUsage();
  readonly #timer = setInterval(() => {
    const used = process.threadCpuUsage(this.#cpu);
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, (used.user + used.system) / 1000);
    this.#longestByClockMs = Math.max(this.#longestByClockMs, nowMs - this.#clockMs);
    this.#cpu = process.threadCpuUsage();
    this.#clockMs = nowMs;
  }, 1);

  /** The longest since the last time it was asked. */
  take(): Omit<ServerMeasure, 'averageBatch'> {
    const used = process.threadCpuUsage(this.#taken);
    const taken = {
      longestTurnMs: this.#longestMs,
      longestTurnByClockMs: this.#longestByClockMs,
      mainThreadMs: (used.user + used.system) / 1000,
    };
    this.#taken = process.threadCpuUsage();
    this.#longestMs = 0;
    this.#longestByClockMs = 0;
    return taken;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
