import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What came of the traffic of one step. */
export interface StepCounts {
  requests: number;
  /** Requests that got no answer, or another one than 200; outcomes that weren't taken. */
  failed: number;
  /** Answers of another variant than the user had before. */
  moved: number;
  longestMs: number;
}

const BODY = JSON.stringify({
  inputs: [
    {
      name: 'image',
      shape: [1, 1, 8, 8],
      datatype: 'FP32',
      data: Array.from({ length: 64 }, (_, i) => (i % 9) / 9),
    },
  ],
});

/**
 * Users who come again and again, each request over a connection of its own and never sent twice by the client. What a user's first prediction came to
 * is sent as an outcome: every third was wrong.
 */
export class Traffic {
  readonly #port: number;
  readonly #users: number;
  readonly #variants = new Map<number, string>();
  readonly #errors = new Set<string>();
  #counts: StepCounts = emptyCounts();
  #next = 0;
  #stopped = false;
  #under: Promise<unknown> = Promise.resolve();

  /** @param port of the balancer */
  constructor(port: number, users: number) {
    this.#port = port;
    this.#users = users;
  }

  /** The first few kinds of failures, in words. */
  get errors(): readonly string[] {
    return [...this.#errors].slice(0, 5);
  }

  /** By variant: how many users it got, and of how many the prediction was right. */
  get expected(): ReadonlyMap<string, { readonly units: number; readonly correct: number }> {
    const sums = new Map<string, { units: number; correct: number }>();
    for (const [user, variant] of this.#variants) {
      const sum = sums.get(variant) ?? { units: 0, correct: 0 };
      sum.units += 1;
      sum.correct += isCorrect(user) ? 1 : 0;
      sums.set(variant, sum);
    }
    return sums;
  }

  start(concurrency: number): void {
    this.#under = Promise.all(Array.from({ length: concurrency }, () => this.#send()));
  }

  /** The counts since the last time. */
  take(): StepCounts {
    const counts = this.#counts;
    this.#counts = emptyCounts();
    return counts;
  }

  /** How many requests were answered since the last {@link take}. */
  get answered(): number {
    return this.#counts.requests;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#under;
  }

  async #send(): Promise<void> {
    // Everybody comes at least once, so that what is expected of the results is known.
    while (!this.#stopped || this.#next < this.#users) {
      const user = this.#next++ % this.#users;
      const startMs = performance.now();
      const answer = await this.#post('/v2/models/digits/infer', BODY, { 'x-user-id': `user-${user}` });
      this.#counts.requests += 1;
      this.#counts.longestMs = Math.max(this.#counts.longestMs, performance.now() - startMs);
      if (answer?.status !== 200) continue;
      const variant = String(answer.headers['x-experiment']).split('=')[1] ?? '';
      const before = this.#variants.get(user);
      if (before === undefined) await this.#tell(user, variant, String(answer.headers['x-prediction-id']));
      else if (before !== variant) this.#counts.moved += 1;
    }
  }

  async #tell(user: number, variant: string, id: string): Promise<void> {
    this.#variants.set(user, variant);
    const outcome = { prediction_id: id, metric: 'correct', value: isCorrect(user) };
    const answer = await this.#post('/v1/outcomes', JSON.stringify(outcome), {});
    // One that the balancer sent twice is counted once, and the second time known as a duplicate.
    if (answer !== undefined && !/"accepted":1|"duplicate"/.test(answer.body)) this.#fail(answer.body);
  }

  async #post(
    path: string,
    body: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer | undefined> {
    try {
      const answer = await post(this.#port, path, body, headers);
      if (answer.status >= 300) this.#fail(`${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
      return answer;
    } catch (error) {
      this.#fail(`${path}: ${String(error)}`);
      return undefined;
    }
  }

  #fail(why: string): void {
    this.#counts.failed += 1;
    this.#errors.add(why);
  }
}

const isCorrect = (user: number): boolean => user % 3 !== 0;

function emptyCounts(): StepCounts {
  return { requests: 0, failed: 0, moved: 0, longestMs: 0 };
}

function post(
  port: number,
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        agent: false,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
        });
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
