import type { FastifyReply } from 'fastify';

/** Bytes that may wait for a slow reader before it is told no more, until it has caught up. */
const MAX_BUFFERED_BYTES = 1024 ** 2;

/** Server-sent events as an answer that goes on. Source of the format: HTML Living Standard, section 9.2. */
export class EventStream {
  readonly #reply: FastifyReply;
  #isOpen = true;

  /** Begins the answer. @param onClose called once, when either side has ended it */
  constructor(reply: FastifyReply, onClose: () => void) {
    this.#reply = reply;
    const { raw } = reply;
    raw.once('close', () => {
      this.#isOpen = false;
      onClose();
    });
    reply.hijack();
    // What the hooks have set, as how much of a rate is left.
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value);
    }
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Some proxies would collect the events otherwise.
      'x-accel-buffering': 'no',
    });
    raw.flushHeaders();
  }

  /** Whether it takes more: it is open, and its reader keeps up. */
  get isReady(): boolean {
    return this.#isOpen && this.#reply.raw.writableLength < MAX_BUFFERED_BYTES;
  }

  /**
   * Sends an event however much waits already, so that a long one keeps no other from its reader; whoever has more than one look's to tell asks
   * {@link isReady} first.
   *
   * @param json of one line, as `JSON.stringify` writes it
   */
  send(event: string, json: string): void {
    if (this.#isOpen) this.#reply.raw.write(`event: ${event}\ndata: ${json}\n\n`);
  }

  /** Keeps what stands in between from taking the connection for dead. */
  beat(): void {
    if (this.isReady) this.#reply.raw.write(':\n\n');
  }

  end(): void {
    if (this.#isOpen) this.#reply.raw.end();
  }
}
