import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { AbortListeners } from '../../backends/batching/abort-listeners.ts';
import type { AbortListener } from '../../backends/batching/abort-listeners.ts';
import { AnswerStream } from './answer-stream.ts';
import type { AnswerSource } from './answer-stream.ts';
import type { BodyListener, StreamedBody } from './streamed-body.ts';
import { UpstreamFailure, failureOf } from './upstream-failure.ts';

/** An answer of a variant's server, as it came. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** All of it; or, of a large one that is passed on, its stream, which is destroyed with an error where it breaks off. */
  readonly body: Uint8Array | AnswerStream;
  /** From the request, with all of its body, to what is here of the answer, in milliseconds. */
  readonly computeMs: number;
}

export interface ExchangeLimits {
  /** From the request, with all of its body, to the answer's headers, in milliseconds. */
  readonly headersMs: number;
  /** From the request, with all of its body, to the end of the answer, in milliseconds. */
  readonly totalMs: number;
  /** When the caller stops waiting, in `performance.now()` milliseconds; later the later it sends the end of its body. */
  readonly deadlineMs: () => number;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal | undefined;
  /** An answer of up to so many bytes is received whole before it is passed on; a longer one is passed on as it comes. */
  readonly holdBytes: number;
  /** An answer that has to be received whole may have so many bytes; undefined: a long one is passed on as it comes. */
  readonly wholeBytes: number | undefined;
  /** How long a longer one may wait for its caller, all in all, in milliseconds; no time of the server's passes meanwhile. */
  readonly takenWithinMs: number;
}

/** One try at a request, as undici reports on it. It resolves once, and after it nothing of it counts. */
export class Exchange implements Dispatcher.DispatchHandler, AbortListener, BodyListener {
  readonly answer: Promise<UpstreamAnswer>;
  readonly #limits: ExchangeLimits;
  readonly #settle: PromiseWithResolvers<UpstreamAnswer>;
  readonly #startMs = performance.now();
  /** The caller's body that is passed on; undefined where all of the request was there from the start. */
  readonly #streamed: StreamedBody | undefined;
  /** When all of the request had been sent. */
  #sentMs: number | undefined;
  /** What the timer waits for, in `performance.now()` milliseconds. */
  #dueMs = Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer looks, which is no later than that. */
  #looksMs = Infinity;
  #controller: Dispatcher.DispatchController | undefined;
  #failure: UpstreamFailure | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] | undefined;
  #received = 0;
  readonly #hangUps: AbortListeners | undefined;
  #stream: AnswerStream | undefined;
  #isOver = false;

  /** @param streamed the body, where it isn't there whole; it says by {@link requestSent} that it is */
  constructor(limits: ExchangeLimits, streamed?: StreamedBody) {
    this.#limits = limits;
    this.#streamed = streamed;
    this.#settle = Promise.withResolvers();
    this.answer = this.#settle.promise;
    this.#hangUps = limits.signal && AbortListeners.add(limits.signal, this);
    if (streamed === undefined) this.requestSent();
    else this.#arm(this.#startMs + limits.totalMs);
    if (limits.signal?.aborted === true) this.onAbort();
  }

  /** The caller's body has been passed on to its end: the server's time begins. */
  requestSent(): void {
    if (this.#isOver) return;
    const now = performance.now();
    this.#sentMs = now;
    const { headersMs, totalMs } = this.#limits;
    this.#arm(Math.min(now + (this.#status === 0 ? headersMs : totalMs), this.#endMs(now)));
  }

  /** The caller hung up. */
  onAbort(): void {
    this.#fail(new UpstreamFailure('cancelled', 'the caller hung up before the answer was there'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200 || this.#isOver) return;
    this.#status = status;
    this.#headers = headers;
    this.#arm(this.#endMs(this.#sentMs ?? performance.now()));
    const announced = Number(headers['content-length']);
    const { holdBytes, wholeBytes } = this.#limits;
    if (wholeBytes !== undefined && announced > wholeBytes) {
      this.#fail(tooLarge(wholeBytes));
    } else if (wholeBytes !== undefined || announced <= holdBytes) {
      this.#chunks = [];
    } else {
      this.#stream = this.#openStream(controller);
      this.#settle.resolve({ status, headers, body: this.#stream, computeMs: this.#elapsedMs() });
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#stream !== undefined) {
      this.#stream.give(chunk);
      return;
    }
    const { wholeBytes = Infinity } = this.#limits;
    this.#received += chunk.length;
    if (this.#received > wholeBytes) this.#fail(tooLarge(wholeBytes));
    else this.#chunks?.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    this.#end();
    if (this.#stream !== undefined) {
      this.#stream.end();
      return;
    }
    const [first] = this.#chunks ?? [];
    const body =
      this.#chunks?.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks ?? []);
    this.#settle.resolve({
      status: this.#status,
      headers: this.#headers,
      body,
      computeMs: this.#elapsedMs(),
    });
  }

  onResponseError(_controller: unknown, error: unknown): void {
    this.#fail(failureOf(error));
  }

  #openStream(controller: Dispatcher.DispatchController): AnswerStream {
    const source: AnswerSource = {
      pause: () => {
        controller.pause();
      },
      resume: (heldUpMs) => {
        if (heldUpMs > 0 && !this.#isOver) this.#arm(this.#dueMs + heldUpMs);
        controller.resume();
      },
      leave: (error) => {
        if (this.#isOver) return;
        // The caller is gone, or the pipe to it broke: the server need not go on.
        const isKnown = error instanceof UpstreamFailure;
        this.#fail(isKnown ? error : new UpstreamFailure('cancelled', 'nobody reads the answer any more'));
      },
    };
    return new AnswerStream(source, this.#limits.takenWithinMs);
  }

  /** Whether it is the caller who is awaited, who takes no more of the answer for now. */
  get #isHeldUp(): boolean {
    return this.#stream?.isHeldUp === true;
  }

  #arm(atMs: number): void {
    this.#dueMs = atMs;
    // A timer that comes sooner goes on when it does: most answers are there long before.
    if (this.#looksMs <= atMs) return;
    this.#looksMs = atMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onTime, Math.max(0, Math.ceil(atMs - performance.now())));
  }

  #endMs(sentMs: number): number {
    return Math.min(sentMs + this.#limits.totalMs, this.#limits.deadlineMs());
  }

  readonly #onTime = (): void => {
    this.#looksMs = Infinity;
    // When the caller takes more of the answer, the time that it took none is added.
    if (this.#isHeldUp) return;
    const now = performance.now();
    if (now < this.#dueMs) {
      // It was put off, or the clock of timers is a fraction of a millisecond ahead: it isn't yet the caller's time that is over.
      this.#arm(this.#dueMs);
      return;
    }
    if (this.#sentMs === undefined && this.#streamed?.isAwaited === true) {
      // The server waits as the gateway does; what a caller may take for its request, timeouts.request says.
      this.#arm(now + this.#limits.headersMs);
      return;
    }
    // After the thread was held up past the time, timers are looked at before the answer that has long been waiting.
    const dueMs = this.#dueMs;
    setImmediate(() => {
      if (!this.#isOver && !this.#isHeldUp && this.#dueMs === dueMs) this.#giveUp(now);
    });
  };

  #giveUp(now: number): void {
    const isSilent = this.#status === 0;
    const what = isSilent ? 'sent no answer' : 'did not end its answer';
    const waitedMs = now - (this.#sentMs ?? this.#startMs);
    this.#fail(
      now >= this.#limits.deadlineMs()
        ? new UpstreamFailure('expired', `the variant's server ${what} within the caller's time`, {
            ...(isSilent && { waitedMs }),
          })
        : new UpstreamFailure(
            'slow',
            `the variant's server ${what} within the time that upstream.timeouts gives it`,
          ),
    );
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    this.#failure = failure;
    this.#end();
    this.#controller?.abort(failure);
    this.#settle.reject(failure);
    this.#stream?.destroy(failure);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#hangUps?.delete(this);
  }

  #elapsedMs(): number {
    return performance.now() - (this.#sentMs ?? this.#startMs);
  }
}

function tooLarge(bytes: number): UpstreamFailure {
  return new UpstreamFailure('too_large', `the variant's server answers with more than ${bytes} bytes`);
}
