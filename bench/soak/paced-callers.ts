import { Agent, request } from 'undici';
import { pause } from '../chaos/finding.ts';
import { lostOutcomes, outcomesOf } from '../chaos/lost-outcomes.ts';
import type { CountOutcomes, OutcomesAnswer } from '../chaos/lost-outcomes.ts';

/** A tick of the load; requests of one tick are sent at once. */
const TICK_MS = 10;

/** So many seconds of the load under way at once mean that it is no longer carried; further ones are left out, and counted. */
const MOST_UNDER_WAY_SECONDS = 5;

/** Of so many predictions one has an outcome. */
const OUTCOME_EVERY = 10;

const UNITS = 5000;

/** How a call ended: its status, or a connection that broke off. */
export type End = number | 'reset';

/** What the callers saw. */
export interface PacedCounts {
  readonly predictions: ReadonlyMap<End, number>;
  readonly outcomes: ReadonlyMap<End, number>;
  /** Of the predictions that were answered with 200, those whose numbers no version could have given. */
  readonly wrong: number;
  /** Left out because too many were under way. */
  readonly left: number;
  /** Outcomes whose receipt was confirmed. */
  readonly acknowledged: number;
}

/** Callers that send at even distances, whatever became of what they sent before. */
export class PacedCallers implements AsyncDisposable {
  readonly #url: string;
  readonly #agent = new Agent({ connections: 64, headersTimeout: 35_000 });
  readonly #isRight: (value: number) => boolean;
  #predictions = new Map<End, number>();
  #outcomes = new Map<End, number>();
  /** The ids of the predictions whose outcomes were taken. */
  readonly #acknowledged: string[] = [];
  /** Of these, those of {@link capacity}. */
  #acknowledgedBefore = 0;
  #wrong = 0;
  #left = 0;
  #underWay = 0;
  #unit = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param url of the data plane
   * @param isRight whether a served version could have answered so to 1
   */
  constructor(url: string, isRight: (value: number) => boolean) {
    this.#url = url;
    this.#isRight = isRight;
  }

  get counts(): PacedCounts {
    return {
      predictions: new Map(this.#predictions),
      outcomes: new Map(this.#outcomes),
      wrong: this.#wrong,
      left: this.#left,
      acknowledged: this.#acknowledged.length - this.#acknowledgedBefore,
    };
  }

  /** Sends as fast as so many callers are answered, and tells how many answers a second that were; they are not in the counts. */
  async capacity(seconds: number, callers = 16): Promise<number> {
    const endMs = performance.now() + seconds * 1000;
    let answers = 0;
    const call = async (): Promise<void> => {
      while (performance.now() < endMs) {
        await this.#ask();
        answers += 1;
      }
    };
    await Promise.all(Array.from({ length: callers }, call));
    this.#predictions = new Map();
    this.#outcomes = new Map();
    this.#acknowledgedBefore = this.#acknowledged.length;
    return answers / seconds;
  }

  /** @param perSecond predictions; every tenth is followed by its outcome */
  start(perSecond: number): void {
    const startMs = performance.now();
    const most = perSecond * MOST_UNDER_WAY_SECONDS;
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startMs) / 1000) * perSecond;
      for (; sent < due; sent++) {
        if (this.#underWay >= most) this.#left += 1;
        else void this.#ask();
      }
    }, TICK_MS);
  }

  /** Sends nothing more, and waits for what was sent. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#underWay > 0) await pause(TICK_MS);
  }

  /** Of the acknowledged outcomes, those that aren't known any more. */
  lostOutcomes(count: CountOutcomes): Promise<number> {
    const send = async (body: string): Promise<OutcomesAnswer> =>
      (await (await this.#post('/v1/outcomes', body)).body.json()) as OutcomesAnswer;
    return lostOutcomes(this.#acknowledged, send, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#agent.destroy();
  }

  async #ask(): Promise<void> {
    this.#underWay += 1;
    const unit = this.#unit++;
    const id = await this.#predict(unit);
    if (id !== undefined && unit % OUTCOME_EVERY === 0) await this.#report(id);
    this.#underWay -= 1;
  }

  /** @returns the prediction's id where it was answered with 200 */
  async #predict(unit: number): Promise<string | undefined> {
    let end: End = 'reset';
    let id: string | undefined;
    try {
      const { statusCode, headers, body } = await this.#post('/v2/models/soak/infer', BODY, {
        'x-user-id': `unit-${unit % UNITS}`,
      });
      const text = await body.text();
      end = statusCode;
      if (end === 200) {
        id = String(headers['x-prediction-id']);
        if (!this.#isRight(firstOf(text))) this.#wrong += 1;
      }
    } catch {
      // A connection that breaks off is what is counted.
    }
    count(this.#predictions, end);
    return id;
  }

  async #report(id: string): Promise<void> {
    let end: End = 'reset';
    try {
      const { statusCode, body } = await this.#post('/v1/outcomes', outcomesOf([id]));
      const text = await body.text();
      end = statusCode;
      if (end === 202 && (JSON.parse(text) as OutcomesAnswer).accepted === 1) this.#acknowledged.push(id);
    } catch {
      // As above.
    }
    count(this.#outcomes, end);
  }

  #post(path: string, body: string, headers: Readonly<Record<string, string>> = {}) {
    return request(this.#url + path, { method: 'POST', body, headers, dispatcher: this.#agent });
  }
}

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 1] }] });

function firstOf(text: string): number {
  const answer = JSON.parse(text) as { readonly outputs: readonly { readonly data: readonly number[] }[] };
  return answer.outputs[0]?.data[0] ?? Number.NaN;
}

function count(counts: Map<End, number>, end: End): void {
  counts.set(end, (counts.get(end) ?? 0) + 1);
}
