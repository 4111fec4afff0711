import { Observable } from '../observable.ts';

const TELL_EVERY_MS = 10_000;

/** A tab that was killed says no goodbye. */
const FORGET_AFTER_MS = 25_000;

interface Word {
  readonly id: string;
  readonly is: 'here' | 'gone';
}

/** How many tabs and windows of this browser want the gateway's events, this one with them: they tell each other. */
export class Tabs {
  /** 0 while this one wants none. */
  readonly count = new Observable(0);
  readonly #channel: BroadcastChannel;
  readonly #id: string;
  /** When the others were heard last. */
  readonly #heard = new Map<string, number>();
  #telling: number | undefined;

  /** @param id of this tab, among those of the channel */
  constructor(channel: BroadcastChannel, id: string) {
    this.#channel = channel;
    this.#id = id;
    channel.onmessage = ({ data }: MessageEvent<Word>) => {
      this.#hear(data);
    };
  }

  enter(): void {
    if (this.#telling !== undefined) return;
    this.#telling = setInterval(() => {
      this.#say('here');
      this.#recount();
    }, TELL_EVERY_MS);
    this.#say('here');
    this.#recount();
  }

  leave(): void {
    if (this.#telling === undefined) return;
    clearInterval(this.#telling);
    this.#telling = undefined;
    this.#say('gone');
    this.#recount();
  }

  #say(is: Word['is']): void {
    this.#channel.postMessage({ id: this.#id, is } satisfies Word);
  }

  #hear({ id, is }: Word): void {
    const isNew = !this.#heard.has(id);
    if (is === 'gone') this.#heard.delete(id);
    else {
      this.#heard.set(id, Date.now());
      // So that it knows of this one at once.
      if (isNew && this.#telling !== undefined) this.#say('here');
    }
    this.#recount();
  }

  #recount(): void {
    const since = Date.now() - FORGET_AFTER_MS;
    for (const [id, atMs] of this.#heard) if (atMs < since) this.#heard.delete(id);
    this.count.set(this.#telling === undefined ? 0 : this.#heard.size + 1);
  }
}
