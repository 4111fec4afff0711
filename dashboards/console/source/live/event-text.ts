/** An event as it was sent. */
export interface SentEvent {
  readonly name: string;
  readonly data: unknown;
}

/** Takes server-sent events out of text as it comes. Source of the format: HTML Living Standard, section 9.2. */
export class EventText {
  #rest = '';

  /** @returns the events that are whole by now */
  take(text: string): readonly SentEvent[] {
    const blocks = `${this.#rest}${text}`.split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const found = /^event: (\w+)\ndata: (.*)$/.exec(block);
      // A comment is a sign of life only.
      return found === null
        ? []
        : [{ name: found[1] ?? '', data: JSON.parse(found[2] ?? 'null') as unknown }];
    });
  }
}
