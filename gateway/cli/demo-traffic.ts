import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { askAdmin, keyHeader } from './admin-client.ts';
import { DemoOutcomes } from './demo-outcomes.ts';
import type { OutcomeCounts } from './demo-outcomes.ts';
import { isResults } from './results-report.ts';
import { percent, textTable } from './text-table.ts';

export interface TrafficOptions {
  /** The gateway's data plane, as http://127.0.0.1:8000. */
  readonly url: string;
  /** Its control plane, which is asked for the verdict, as http://127.0.0.1:8003. */
  readonly admin: string;
  readonly users: number;
  readonly requests: number;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Requests a second at most; left out: as fast as they are answered. */
  readonly rate?: number;
  /** One JSON object on stdout in place of the table. */
  readonly json: boolean;
}

/** What came back of one variant's requests. */
interface VariantTally {
  requests: number;
  correct: number;
  readonly users: Set<number>;
  readonly latenciesMs: number[];
}

export interface TrafficSummary {
  readonly sent: number;
  readonly failed: number;
  /** Why the first of them did; null: none has. */
  readonly firstFailure: string | null;
  readonly outcomes: OutcomeCounts;
  readonly variants: readonly {
    readonly name: string;
    readonly users: number;
    readonly requests: number;
    /** Share of the users, 0 to 1. */
    readonly share: number;
    /** Share of the scans that were read right, 0 to 1. */
    readonly accuracy: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  }[];
}

interface Scan {
  readonly png: Blob;
  readonly digit: number;
}

const IMAGES = new URL('../../demo/images/', import.meta.url);

/** Time between two pictures of the table, in a terminal. */
const REDRAW_MS = 250;

/**
 * Sends held-out scans of the demo as many users: each request is of the next user, and shows the next scan.
 *
 * @throws Error where the gateway can't be reached at all
 */
export async function sendTraffic(
  options: TrafficOptions,
): Promise<TrafficSummary & { readonly verdicts: Verdicts }> {
  const scans = await loadScans();
  const traffic = new Traffic(options, scans);
  await traffic.expectGateway();
  const live = process.stderr.isTTY && !options.json;
  const timer = live
    ? setInterval(() => process.stderr.write(redraw(traffic.summary(), options)), REDRAW_MS)
    : undefined;
  await traffic.send();
  clearInterval(timer);
  const verdicts = await askVerdicts(options.admin, traffic.experiments);
  const summary = { ...traffic.summary(), verdicts };
  if (live) process.stderr.write(redraw(summary, options));
  if (options.json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return summary;
  }
  const lines = live ? [] : table(summary, options);
  const told = Object.entries(verdicts).map(([experiment, { text }]) => `${experiment}: ${text}`);
  process.stdout.write(`${[...lines, ...told].join('\n')}\n`);
  return summary;
}

/** By experiment: what the control plane says of it, or why it says nothing. */
type Verdicts = Readonly<Record<string, Verdict>>;

interface Verdict {
  readonly kind: 'known' | 'unknown';
  readonly text: string;
}

async function askVerdicts(admin: string, experiments: readonly string[]): Promise<Verdicts> {
  const ask = async (experiment: string): Promise<readonly [string, Verdict]> => {
    try {
      const { verdict } = await askAdmin(admin, `/api/experiments/${experiment}/results`, isResults);
      return [experiment, { kind: 'known', text: verdict }];
    } catch (error) {
      // The traffic was sent all the same.
      const why = error instanceof Error ? error.message : String(error);
      return [experiment, { kind: 'unknown', text: `no verdict: ${why}` }];
    }
  };
  return Object.fromEntries<Verdict>(await Promise.all(experiments.map(ask)));
}

class Traffic {
  readonly #options: TrafficOptions;
  readonly #scans: readonly Scan[];
  readonly #variants = new Map<string, VariantTally>();
  readonly #outcomes: DemoOutcomes;
  #started = 0;
  /** When the rate lets the next request go, in the time of `performance.now()`. */
  #nextMs = 0;
  #sent = 0;
  #failed = 0;
  #firstFailure: string | null = null;

  constructor(options: TrafficOptions, scans: readonly Scan[]) {
    this.#options = options;
    this.#scans = scans;
    this.#outcomes = new DemoOutcomes(options.url);
  }

  /** The experiments that routed the traffic. */
  get experiments(): readonly string[] {
    const keys = [...this.#variants.keys()].flatMap((name) =>
      name.includes('=') ? (name.split('=')[0] ?? []) : [],
    );
    return [...new Set(keys)];
  }

  async expectGateway(): Promise<void> {
    const { url } = this.#options;
    try {
      await fetch(new URL('/v2/health/ready', url));
    } catch (cause) {
      throw new Error(
        `no gateway answers at ${url}; start one with \`npm start\`, or name another with --url`,
        { cause },
      );
    }
  }

  async send(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#sendUntilDone()));
    await this.#outcomes.flush();
  }

  summary(): TrafficSummary {
    const users = [...this.#variants.values()].reduce((sum, tally) => sum + tally.users.size, 0);
    return {
      sent: this.#sent,
      failed: this.#failed,
      firstFailure: this.#firstFailure,
      outcomes: this.#outcomes.counts,
      variants: [...this.#variants]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, tally]) => {
          const sorted = tally.latenciesMs.toSorted((a, b) => a - b);
          const quantile = (q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
          return {
            name,
            users: tally.users.size,
            requests: tally.requests,
            share: tally.users.size / users,
            accuracy: tally.correct / tally.requests,
            p50Ms: quantile(0.5),
            p99Ms: quantile(0.99),
          };
        }),
    };
  }

  async #sendUntilDone(): Promise<void> {
    while (this.#started < this.#options.requests) {
      const index = this.#started++;
      await this.#turn();
      const user = index % this.#options.users;
      // Each user works through all the scans, from a place of their own, so that no variant gets the easy ones.
      const scan = this.#scans[(user + Math.floor(index / this.#options.users)) % this.#scans.length];
      if (scan !== undefined) await this.#sendOne(user, scan);
    }
  }

  /** Waits until the rate lets another request go. */
  async #turn(): Promise<void> {
    const { rate } = this.#options;
    if (rate === undefined) return;
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + 1000 / rate;
    await pause(atMs - nowMs);
  }

  async #sendOne(user: number, scan: Scan): Promise<void> {
    const startMs = performance.now();
    try {
      const response = await fetch(new URL('/predict/digits', this.#options.url), {
        method: 'POST',
        headers: { ...keyHeader(), 'x-user-id': `user-${user}`, 'content-type': 'image/png' },
        body: scan.png,
      });
      const answer = (await response.json()) as { predictions?: { class_id: number }[]; error?: string };
      if (!response.ok) {
        this.#fail(`${response.status}: ${answer.error ?? 'it says nothing more'}`);
        return;
      }
      this.#sent += 1;
      const variant = response.headers.get('x-experiment') ?? '(no experiment)';
      const tally = this.#variants.get(variant) ?? {
        requests: 0,
        correct: 0,
        users: new Set(),
        latenciesMs: [],
      };
      this.#variants.set(variant, tally);
      tally.requests += 1;
      tally.users.add(user);
      tally.latenciesMs.push(performance.now() - startMs);
      const isCorrect = answer.predictions?.[0]?.class_id === scan.digit;
      if (isCorrect) tally.correct += 1;
      await this.#outcomes.add(response.headers.get('x-prediction-id') ?? '', isCorrect);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      this.#fail(cause instanceof Error ? cause.message : String(cause));
    }
  }

  #fail(reason: string): void {
    this.#sent += 1;
    this.#failed += 1;
    this.#firstFailure ??= reason;
  }
}

async function loadScans(): Promise<readonly Scan[]> {
  const labels = JSON.parse(await readFile(new URL('labels.json', IMAGES), 'utf8')) as Record<string, number>;
  return Promise.all(
    Object.entries(labels).map(async ([file, digit]) => ({
      png: new Blob([await readFile(new URL(file, IMAGES))]),
      digit,
    })),
  );
}

function redraw(summary: TrafficSummary, options: TrafficOptions): string {
  const lines = table(summary, options);
  // The first picture makes room for itself; each later one is drawn over it.
  const up = drawn > 0 ? `\u001b[${drawn}A` : '';
  drawn = lines.length;
  return `${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`;
}
let drawn = 0;

function table(
  { sent, failed, firstFailure, outcomes, variants }: TrafficSummary,
  { requests }: TrafficOptions,
): readonly string[] {
  const filled = Math.round((sent / requests) * 30);
  const columns = ['variant', 'users', 'share', 'requests', 'accuracy', 'p50', 'p99'];
  const rows = variants.map((variant) => [
    variant.name,
    String(variant.users),
    percent(variant.share),
    String(variant.requests),
    percent(variant.accuracy),
    `${variant.p50Ms.toFixed(1)} ms`,
    `${variant.p99Ms.toFixed(1)} ms`,
  ]);
  return [
    `${'#'.repeat(filled)}${'.'.repeat(30 - filled)} ${sent} of ${requests} requests, ${failed} failed; ` +
      `${outcomes.accepted} outcomes taken, ${outcomes.rejected} not`,
    ...(firstFailure === null ? [] : [`the first failure: ${firstFailure}`]),
    ...textTable(columns, rows),
  ];
}
