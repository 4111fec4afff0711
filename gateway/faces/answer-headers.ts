import type { Answered } from '../pipeline/call.ts';

/** What takes an answer's headers: a reply over HTTP, or the metadata of gRPC. */
export interface AnswerHeaders {
  header(name: string, value: string): unknown;
}

/** What every inference answer says in its headers, whichever face gave it. */
export function describeAnswer(headers: AnswerHeaders, { target, timings }: Answered<unknown>): void {
  if (target.choice !== undefined) {
    const { experiment, variant, reason } = target.choice;
    headers.header('x-experiment', `${experiment.key}=${variant.name}`);
    headers.header('x-experiment-reason', reason);
  }
  const { routeMs, queueMs, computeMs, totalMs } = timings;
  headers.header(
    'server-timing',
    `route;dur=${routeMs.toFixed(3)}, queue;dur=${queueMs.toFixed(3)}, ` +
      `compute;dur=${computeMs.toFixed(3)}, total;dur=${totalMs.toFixed(3)}`,
  );
}
