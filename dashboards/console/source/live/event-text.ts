/** An event as it was sent. */
export interface SentEvent {
  readonly name: string;
  readonly data: unknown;
}

/** What came is neither an event nor a sign of life: something between the gateway and the page has changed it. */
export class NoEvent extends Error {}

/** A text may have any character of Unicode: JSON escapes what ends a line of the format, and no other separator. */
const EVENT = /^event: (?<name>\w+)\ndata: (?<json>[^\n]*)$/;

/** Takes server-sent events out of text as it comes. Source of the format: HTML Living Standard, section 9.2. */
export class EventText {
  #rest = '';

  /**
   * @returns the events that are whole by now
   * @throws NoEvent
   */
  take(text: string): readonly SentEvent[] {
    const blocks = `${this.#rest}${text}`.split('\n\n');
    this.#rest = blocks.pop() ?? '';
    // A comment is a sign of life only.
    return blocks.filter((block) => !block.startsWith(':')).map(eventOf);
  }
}

function eventOf(block: string): SentEvent {
  const { name, json } = EVENT.exec(block)?.groups ?? {};
  if (name === undefined || json === undefined) throw new NoEvent('what came is no event');
  try {
    return { name, data: JSON.parse(json) as unknown };
  } catch (cause) {
    throw new NoEvent(`the event ${name} can’t be read`, { cause });
  }
}
