/** Reads server-sent events as they come. */
export class EventReader implements AsyncDisposable {
  readonly contentType: string | null;
  /** Resolves when the server has ended the stream, or it was closed here. */
  readonly ended: Promise<void>;
  readonly #controller: AbortController;
  readonly #seen = new Set<string>();
  #beats = 0;
  #waiting: { readonly event: string; readonly resolve: (data: unknown) => void }[] = [];
  /** Events that nobody has asked for yet. */
  readonly #kept: { readonly event: string; readonly data: unknown }[] = [];

  /** @throws Error where the answer is not 200 */
  static async open(url: string, headers: Readonly<Record<string, string>>): Promise<EventReader> {
    const controller = new AbortController();
    const response = await fetch(url, { headers, signal: controller.signal });
    if (response.status !== 200 || response.body === null) throw new Error(`answered ${response.status}`);
    return new EventReader(response.body, response.headers.get('content-type'), controller);
  }

  private constructor(
    body: ReadableStream<Uint8Array>,
    contentType: string | null,
    controller: AbortController,
  ) {
    this.contentType = contentType;
    this.#controller = controller;
    this.ended = this.#read(body);
  }

  /** The data of the next event of that name. */
  next(event: string): Promise<unknown> {
    const index = this.#kept.findIndex((kept) => kept.event === event);
    if (index >= 0) return Promise.resolve(this.#kept.splice(index, 1)[0]?.data);
    return new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }

  seen(event: string): boolean {
    return this.#seen.has(event);
  }

  /** Signs of life that came between the events. */
  get beats(): number {
    return this.#beats;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.ended;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) this.#take(block);
      }
    } catch (error) {
      if (!this.#controller.signal.aborted) throw error;
    }
  }

  #take(block: string): void {
    if (block === ':') this.#beats += 1;
    const found = /^event: (\w+)\ndata: (.*)$/.exec(block);
    if (found === null) return;
    const [, event = '', json = ''] = found;
    const data: unknown = JSON.parse(json);
    this.#seen.add(event);
    const waiting = this.#waiting.find((each) => each.event === event);
    if (waiting === undefined) {
      this.#kept.push({ event, data });
      return;
    }
    this.#waiting = this.#waiting.filter((each) => each !== waiting);
    waiting.resolve(data);
  }
}
