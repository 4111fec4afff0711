import { rateHeaders } from '../limits/refusal.ts';
import type { Answered, Target } from '../pipeline/call.ts';
import { ROUTED_TO, ROUTED_WHY } from '../pipeline/routed-headers.ts';

/** What takes an answer's headers: a reply over HTTP, the metadata of gRPC, the parameters of a stream's answer. */
export interface AnswerHeaders {
  header(name: string, value: string): unknown;
}

/** What every inference answer says in its headers, whichever face gave it. */
export function describeAnswer(
  headers: AnswerHeaders,
  { target, predictionId, standing, cache, timings }: Answered<unknown>,
): void {
  headers.header('x-prediction-id', predictionId);
  if (standing !== undefined) {
    for (const [name, value] of Object.entries(rateHeaders(standing))) headers.header(name, value);
  }
  if (cache !== undefined) headers.header('x-cache', cache);
  describeTarget(headers, target);
  const { routeMs, queueMs, computeMs, totalMs } = timings;
  headers.header(
    'server-timing',
    `route;dur=${decimal(routeMs)}, queue;dur=${decimal(queueMs)}, ` +
      `compute;dur=${decimal(computeMs)}, total;dur=${decimal(totalMs)}`,
  );
}

/** A duration >= 0 with three decimals. `toFixed` is exact for any number, and takes five times as long. */
function decimal(ms: number): string {
  const thousandths = Math.round(ms * 1000);
  const rest = thousandths % 1000;
  const zeros = rest < 10 ? '00' : rest < 100 ? '0' : '';
  return `${(thousandths - rest) / 1000}.${zeros}${rest}`;
}

/** Whom a call was routed to, and why. */
export function describeTarget(headers: AnswerHeaders, { choice }: Target): void {
  if (choice === undefined) return;
  const { experiment, variant, reason } = choice;
  headers.header(ROUTED_TO, `${experiment.key}=${variant.name}`);
  headers.header(ROUTED_WHY, reason);
}
