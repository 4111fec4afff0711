import { Pool } from 'undici';
import type { UpstreamDefinition } from '../../experiments/upstream-definition.ts';
import { GatewayError } from '../errors.ts';
import { Breaker } from './breaker.ts';
import type { Verdict } from './breaker.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeLimits, UpstreamAnswer } from './exchange.ts';
import { Patience } from './patience.ts';
import { RetryBudget } from './retry-budget.ts';
import { StreamedBody } from './streamed-body.ts';
import { UpstreamFailure, failureOf } from './upstream-failure.ts';
import type { FailureKind } from './upstream-failure.ts';

/** A request as a variant's server gets it. */
export interface UpstreamRequest {
  readonly method: 'POST';
  /** Under the upstream's URL, with its query. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: Uint8Array | StreamedBody | undefined;
  /** Whether the answer is needed as a whole; left out: a long one is passed on as it comes. */
  readonly whole?: true;
}

export type CallLimits = Pick<ExchangeLimits, 'deadlineMs' | 'signal'>;

/** What the gateway lets an answer have. */
export interface AnswerLimits {
  /** Bytes of an answer that has to be received whole. */
  readonly answerBytes: number;
  /** How long an answer that is passed on as it comes may wait for its caller, all in all, in milliseconds. */
  readonly takenWithinMs: number;
}

/** What is told of each try. */
export interface ServerEvents {
  onTry(result: FailureKind | 'ok'): void;
  onRetry(): void;
}

/** The share of requests that may be tried again. */
const RETRY_SHARE = 0.2;

/** An answer that is announced as no longer than this is received whole, so that one that breaks off can be replaced. */
const HOLD_BYTES = 64 * 1024;

/** What a health check or a model's metadata may have. */
const SMALL_BYTES = 1024 * 1024;

/** A variant's server: its connections, its breaker, and its budget of retries. */
export class UpstreamServer {
  readonly #definition: UpstreamDefinition;
  readonly #events: ServerEvents;
  readonly #answers: AnswerLimits;
  readonly #pool: Pool;
  /** For checks, which must not wait behind requests. */
  readonly #side: Pool;
  readonly #prefix: string;
  readonly #budget = new RetryBudget(RETRY_SHARE);
  readonly #breaker: Breaker;
  readonly #patience = new Patience();

  constructor(definition: UpstreamDefinition, answers: AnswerLimits, events: ServerEvents) {
    const { url, connections, timeouts, breaker } = definition;
    const { origin, pathname } = new URL(url);
    this.#definition = definition;
    this.#events = events;
    this.#answers = answers;
    this.#prefix = pathname === '/' ? '' : pathname;
    const options: Pool.Options = {
      connect: { timeout: timeouts.connectMs },
      // The exchange keeps the times itself, to the millisecond.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
    };
    this.#pool = new Pool(origin, { ...options, connections });
    this.#side = new Pool(origin, { ...options, connections: 1 });
    this.#breaker = new Breaker(breaker);
  }

  /**
   * Sends a request, again where that may help, the budget allows it and nothing of the answer has been passed on.
   *
   * @param read takes an answer of status 2xx, or one that blames the request; what it can't read counts as the server's failure
   * @throws UpstreamFailure; a GatewayError of another kind where the caller's body can't be had
   */
  async call<Read>(
    request: UpstreamRequest,
    limits: CallLimits,
    read: (answer: UpstreamAnswer) => Read,
  ): Promise<Read> {
    this.#budget.deposit();
    for (let tries = 1; ; tries++) {
      try {
        const answer = await this.#throughBreaker(request, limits, read);
        this.#events.onTry(answer.status < 400 ? 'ok' : 'rejected');
        return answer.read;
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) {
          this.#events.onTry(isCancelled(error) ? 'cancelled' : 'rejected');
          throw error;
        }
        this.#events.onTry(error.kind);
        if (!this.#mayRetry(request, error, tries)) throw error;
        this.#events.onRetry();
      }
    }
  }

  /**
   * Asks for something small beside the requests: over a connection of its own, without retries, and past the breaker.
   *
   * @throws UpstreamFailure for everything but a status of 2xx
   */
  async get(path: string, timeoutMs: number, signal: AbortSignal): Promise<UpstreamAnswer> {
    const deadlineMs = (): number => Infinity;
    const limits = {
      headersMs: timeoutMs,
      totalMs: timeoutMs,
      deadlineMs,
      signal,
      holdBytes: 0,
      wholeBytes: SMALL_BYTES,
      takenWithinMs: timeoutMs,
    };
    const exchange = new Exchange(limits);
    const headers = Object.entries(this.#definition.headers).flat();
    this.#side.dispatch({ method: 'GET', path: this.#prefix + path, headers }, exchange);
    const answer = await exchange.answer;
    const { status } = answer;
    if (status < 200 || status >= 300) {
      throw new UpstreamFailure('status', `GET ${path} answered with status ${status}`, { status });
    }
    return answer;
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#side.close()]);
  }

  #mayRetry({ body }: UpstreamRequest, failure: UpstreamFailure, tries: number): boolean {
    const isReplayable = body === undefined || body instanceof Uint8Array || !body.isTouched;
    return failure.isTransient && isReplayable && tries <= this.#definition.retries && this.#budget.take();
  }

  /** @throws UpstreamFailure, or the refusal of the caller's body, of which the breaker learns nothing */
  async #throughBreaker<Read>(
    request: UpstreamRequest,
    limits: CallLimits,
    read: (answer: UpstreamAnswer) => Read,
  ): Promise<{ readonly status: number; readonly read: Read }> {
    const judge = this.#breaker.admit();
    if (judge === undefined) throw left();
    try {
      const answer = await this.#try(request, limits);
      const result = { status: answer.status, read: reading(answer, read) };
      this.#patience.answered(answer.computeMs);
      judge('works');
      return result;
    } catch (error) {
      const failure = asRefusal(request, failureOf(error));
      judge(this.#verdictOn(failure));
      throw failure;
    }
  }

  #verdictOn(failure: GatewayError): Verdict {
    if (!(failure instanceof UpstreamFailure) || failure.kind === 'cancelled') return 'undecided';
    const { kind, waitedMs } = failure;
    // A server that hangs shows in nothing else where its callers wait for less than its own times.
    if (kind === 'expired')
      return waitedMs !== undefined && this.#patience.isEnough(waitedMs) ? 'fails' : 'undecided';
    return failure.isUnavailable && kind !== 'too_large' ? 'fails' : 'works';
  }

  async #try(
    { method, path, headers, body, whole }: UpstreamRequest,
    limits: CallLimits,
  ): Promise<UpstreamAnswer> {
    const { headersMs, totalMs } = this.#definition.timeouts;
    const { answerBytes, takenWithinMs } = this.#answers;
    const streamed = body instanceof StreamedBody ? body : undefined;
    const exchange = new Exchange(
      {
        headersMs,
        totalMs,
        ...limits,
        holdBytes: HOLD_BYTES,
        wholeBytes: whole === true ? answerBytes : undefined,
        takenWithinMs,
      },
      streamed,
    );
    const opened = body instanceof StreamedBody ? body.open(exchange) : body;
    try {
      this.#pool.dispatch(
        { method, path: this.#prefix + path, headers, ...(opened !== undefined && { body: opened }) },
        exchange,
      );
    } catch (error) {
      exchange.onResponseError(undefined, error);
    }
    const answer = await exchange.answer;
    const failure = failureOfStatus(answer.status);
    if (failure === undefined) return answer;
    discard(answer);
    throw failure;
  }
}

/** What nobody can read need not come to its end. */
function reading<Read>(answer: UpstreamAnswer, read: (answer: UpstreamAnswer) => Read): Read {
  try {
    return read(answer);
  } catch (error) {
    discard(answer);
    throw error;
  }
}

function discard({ body }: UpstreamAnswer): void {
  if (!(body instanceof Uint8Array)) body.on('error', ignore).destroy();
}

function ignore(): void {
  // The rest of an answer that isn't used may break off.
}

function left(): UpstreamFailure {
  return new UpstreamFailure(
    'open',
    "the variant's server failed so often that it is left alone for a while",
  );
}

/** Where the caller's body can't be had, the failure is the caller's. */
function asRefusal({ body }: UpstreamRequest, failure: UpstreamFailure): GatewayError {
  return body instanceof StreamedBody ? (body.refusal ?? failure) : failure;
}

function isCancelled(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'cancelled';
}

/** Undefined for an answer to be passed on: a success, or a refusal that is the caller's mistake. */
function failureOfStatus(status: number): UpstreamFailure | undefined {
  const isCallers = (status >= 400 && status < 500 && !NOT_THE_CALLERS.has(status)) || status === 501;
  if (isCallers || (status >= 200 && status < 300)) return undefined;
  const isModel = status === 500;
  const what = isModel ? 'the model failed' : "the variant's server can't answer";
  return new UpstreamFailure(isModel ? 'failed' : 'status', `${what}: it answered with status ${status}`, {
    status,
  });
}

/** Statuses that blame the way the gateway calls, or the moment: the caller could do nothing about them. */
const NOT_THE_CALLERS: ReadonlySet<number> = new Set([401, 402, 403, 404, 405, 407, 408, 421, 425, 426, 429]);
