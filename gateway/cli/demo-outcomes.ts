import { isRecord, keyHeader } from './admin-client.ts';

/** What the demo's experiment calls a scan that was read right. */
const METRIC = 'correct';

/** Outcomes that go together; the gateway takes up to 1,000. */
const BATCH = 500;

export interface OutcomeCounts {
  readonly accepted: number;
  /** Refused one by one, as those of requests that an override forced. */
  readonly rejected: number;
  /** Of batches that got no answer, or another one than 202. */
  readonly failed: number;
}

/** Tells a gateway whether its predictions were right, many at once. */
export class DemoOutcomes {
  readonly #url: URL;
  #waiting: { readonly prediction_id: string; readonly metric: string; readonly value: boolean }[] = [];
  #counts: OutcomeCounts = { accepted: 0, rejected: 0, failed: 0 };

  /** @param url the gateway's data plane */
  constructor(url: string) {
    this.#url = new URL('/v1/outcomes', url);
  }

  get counts(): OutcomeCounts {
    return this.#counts;
  }

  async add(predictionId: string, isCorrect: boolean): Promise<void> {
    this.#waiting.push({ prediction_id: predictionId, metric: METRIC, value: isCorrect });
    if (this.#waiting.length >= BATCH) await this.flush();
  }

  /** Sends what waits. */
  async flush(): Promise<void> {
    const outcomes = this.#waiting;
    this.#waiting = [];
    if (outcomes.length === 0) return;
    const report = await this.#send(JSON.stringify(outcomes));
    const { accepted, rejected, failed } = this.#counts;
    this.#counts =
      report === undefined
        ? { accepted, rejected, failed: failed + outcomes.length }
        : {
            accepted: accepted + report.accepted,
            rejected: rejected + (outcomes.length - report.accepted),
            failed,
          };
  }

  async #send(body: string): Promise<{ readonly accepted: number } | undefined> {
    try {
      const response = await fetch(this.#url, { method: 'POST', headers: keyHeader(), body });
      const report: unknown = await response.json();
      return response.status === 202 && isRecord(report) && typeof report.accepted === 'number'
        ? { accepted: report.accepted }
        : undefined;
    } catch {
      return undefined;
    }
  }
}
