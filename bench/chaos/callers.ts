import { Agent, request } from 'undici';
import { pause, until } from './finding.ts';
import type { Recovery } from './finding.ts';
import { lostOutcomes, outcomesOf } from './lost-outcomes.ts';
import type { CountOutcomes, OutcomesAnswer } from './lost-outcomes.ts';

/** How a call ended. */
interface Seen {
  readonly atMs: number;
  /** The status, or `reset` where the connection broke off. */
  readonly end: number | 'reset';
  readonly tookMs: number;
  readonly variant: string;
}

/** What a caller waits when its connection broke off, before it calls again. */
const AFTER_RESET_MS = 10;

/** The units of one run differ from those of every other. */
let nextUnit = 0;

/**
 * Callers in a closed loop, each asking for a prediction and sending what came of it, until they are stopped. Each has a connection
 * of its own, and opens another one when it breaks.
 */
export class Callers implements AsyncDisposable {
  readonly #base: string;
  readonly #agent: Agent;
  readonly #predictions: Seen[] = [];
  readonly #outcomes: Seen[] = [];
  /** Outcomes whose receipt was confirmed, by the ids of their predictions. */
  readonly #acknowledged: string[] = [];
  readonly #callers: Promise<void>[];
  #isOver = false;

  /** @param base the data plane's URL */
  constructor(base: string, count = 8) {
    this.#base = base;
    this.#agent = new Agent({
      connections: count,
      connect: { rejectUnauthorized: false },
      headersTimeout: 35_000,
    });
    this.#callers = Array.from({ length: count }, () => this.#call());
  }

  get answers(): number {
    return this.#predictions.length;
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const unit = nextUnit++;
      const id = await this.#predict(unit);
      if (id !== undefined) await this.#report(id);
      if (this.#predictions.at(-1)?.end === 'reset') await pause(AFTER_RESET_MS);
    }
  }

  async #predict(unit: number): Promise<string | undefined> {
    const startMs = performance.now();
    const body = JSON.stringify({
      // Each its own: what was running at two crashes is refused from then on.
      inputs: [{ name: 'INPUT', shape: [1, 2], datatype: 'FP32', data: [unit, 2] }],
    });
    let end: Seen['end'] = 'reset';
    let [id, variant]: [string | undefined, string] = [undefined, ''];
    try {
      const answer = await this.#post('/v2/models/adder/infer', body, {
        'x-user-id': `unit-${process.pid}-${unit}`,
      });
      end = answer.status;
      variant = answer.header('x-experiment');
      if (end === 200) id = answer.header('x-prediction-id');
    } catch {
      // A connection that breaks off is what is counted.
    }
    const nowMs = performance.now();
    this.#predictions.push({ atMs: nowMs, end, tookMs: nowMs - startMs, variant });
    return id;
  }

  async #report(id: string): Promise<void> {
    const startMs = performance.now();
    let end: Seen['end'] = 'reset';
    try {
      const { status, text } = await this.#post('/v1/outcomes', outcomesOf([id]));
      end = status;
      if (status === 202 && (JSON.parse(text) as OutcomesAnswer).accepted === 1) this.#acknowledged.push(id);
    } catch {
      // As above.
    }
    const nowMs = performance.now();
    this.#outcomes.push({ atMs: nowMs, end, tookMs: nowMs - startMs, variant: '' });
  }

  async #post(path: string, body: string, headers: Readonly<Record<string, string>> = {}) {
    const answer = await request(this.#base + path, {
      method: 'POST',
      body,
      headers,
      dispatcher: this.#agent,
    });
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      text,
      header: (name: string) => String(answer.headers[name] ?? ''),
    };
  }

  /** Goes on until so many more predictions were answered with 200. */
  async more(count: number): Promise<void> {
    const from = this.#predictions.length;
    const good = (): number => this.#predictions.slice(from).filter(({ end }) => end === 200).length;
    await until(`${count} more predictions were answered`, () => good() >= count);
  }

  /** Goes on until so many more outcomes were acknowledged. */
  async moreOutcomes(count: number): Promise<void> {
    const from = this.#acknowledged.length;
    await until(`${count} more outcomes were acknowledged`, () => this.#acknowledged.length >= from + count);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#agent.destroy();
    await Promise.all(this.#callers);
  }

  /** Of the acknowledged outcomes, those that aren't known any more. */
  lostOutcomes(count?: CountOutcomes): Promise<number> {
    const send = async (body: string): Promise<OutcomesAnswer> =>
      JSON.parse((await this.#post('/v1/outcomes', body)).text) as OutcomesAnswer;
    return lostOutcomes(this.#acknowledged, send, count);
  }

  /** When the first call was answered after the last one that failed, by a moment of `performance.now()`; nothing for what never failed since then. */
  recovery(sinceMs: number): readonly Recovery[] {
    return [
      { what: 'predictions', seen: this.#predictions, good: 200 },
      { what: 'outcomes', seen: this.#outcomes, good: 202 },
    ].flatMap(({ what, seen, good }) => {
      const since = seen.filter(({ atMs }) => atMs >= sinceMs);
      const last = since.findLastIndex(({ end }) => end !== good);
      if (last < 0) return [];
      return [{ what, afterMs: (since[last + 1]?.atMs ?? Infinity) - sinceMs }];
    });
  }

  /** From a moment of `performance.now()` to the next answer; a crash that breaks no call off shows as that alone. */
  nextAnswerMs(sinceMs: number): number {
    const next = this.#predictions.find(({ atMs, end, tookMs }) => end === 200 && atMs - tookMs >= sinceMs);
    return (next?.atMs ?? Infinity) - sinceMs;
  }

  /** Predictions since then, by how they ended. */
  ends(sinceMs: number): ReadonlyMap<Seen['end'], number> {
    return countBy(this.#predictions.filter(({ atMs }) => atMs >= sinceMs).map(({ end }) => end));
  }

  variants(sinceMs: number): ReadonlyMap<string, number> {
    return countBy(this.#predictions.filter(({ atMs }) => atMs >= sinceMs).map(({ variant }) => variant));
  }

  /** One sentence for the table. */
  saw(sinceMs: number): string {
    const seen = this.#predictions.filter(({ atMs }) => atMs >= sinceMs);
    const slowest = Math.max(0, ...seen.map(({ tookMs }) => tookMs));
    const refused = this.#outcomes.filter(({ atMs, end }) => atMs >= sinceMs && end !== 202).length;
    const ends = [...countBy(seen.map(({ end }) => end))].map(([end, count]) => `${count} × ${end}`);
    return (
      `${ends.join(', ')}; slowest ${slowest.toFixed(0)} ms` +
      (refused === 0 ? '' : `; ${refused} outcomes not acknowledged`)
    );
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }
}

function countBy<Key>(keys: readonly Key[]): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
