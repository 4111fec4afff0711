import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServerMeasure, ServerQuestion } from './messages.ts';

/** How far apart the event loop's own samples are; a hold shows as what is beyond that. */
const SAMPLE_MS = 1;

export interface RunningServer {
  readonly port: number;
  averageBatch(): Promise<number | undefined>;
  stop(): Promise<unknown>;
}

/** Answers the bench's messages: a server under test, in a process of its own. */
export function serveBench(start: (question: ServerQuestion) => Promise<RunningServer>): void {
  process.once('message', (question: ServerQuestion) => {
    void start(question).then((server) => {
      const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS });
      delay.enable();
      process.on('message', (message) => {
        if (message === 'stop') {
          delay.disable();
          void server.stop().then(() => {
            process.disconnect();
          });
          return;
        }
        void server.averageBatch().then((averageBatch) => {
          const longestHoldMs = delay.max / 1e6 - SAMPLE_MS;
          delay.reset();
          process.send?.({ longestHoldMs, averageBatch } satisfies ServerMeasure);
        });
      });
      process.send?.({ port: server.port });
    });
  });
}
