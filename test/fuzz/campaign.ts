import type { Entry, OpenEntry } from './entry.ts';
import type { FuzzedGateway } from './fuzzed-gateway.ts';
import { mutated } from './mutator.ts';
import type { Watchdog } from './watchdog.ts';

export interface CampaignOptions {
  readonly inputs: number;
  readonly seed: number;
  /** The number of the first input; left out: 0. */
  readonly from?: number;
  /** What is sent to a gateway goes to this one; left out: each entry starts its own. */
  readonly gateway?: FuzzedGateway;
  /** Ends the process where an input is not answered. */
  readonly watchdog?: Watchdog;
}

export interface Finding {
  readonly index: number;
  readonly reason: string;
  readonly input: Buffer;
}

export interface Report {
  readonly entry: string;
  readonly seed: number;
  readonly inputs: number;
  readonly accepted: number;
  /** By what they were refused as. */
  readonly refused: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly seconds: number;
  /** From a fifth of the way to the end. */
  readonly growthBytes: number;
  readonly findings: readonly Finding[];
}

/** An answer that takes longer than this has held somebody up, however busy the machine is. */
const SLOW_MS = 10_000;

/** Findings after which the rest would say no more. */
const MAX_FINDINGS = 20;

/** Sends an entry so many inputs, each a mutation of one that is well-formed. */
export async function runCampaign(
  entry: Entry,
  { inputs, seed, from = 0, gateway, watchdog }: CampaignOptions,
): Promise<Report> {
  await using open = await entry.open(gateway);
  await requireSeeds(entry, open);
  const campaign = `${seed}:${entry.name}`;
  const refused: Record<string, number> = {};
  const findings: Finding[] = [];
  let [next, done, accepted, slowestMs] = [from, 0, 0, 0];
  let settled: Promise<number> | undefined;
  const startMs = performance.now();
  const worker = async (): Promise<void> => {
    while (next < from + inputs && findings.length < MAX_FINDINGS) {
      const index = next++;
      if (done >= inputs / 5) await (settled ??= Promise.resolve(open.memoryBytes()));
      const input = mutated(open.seeds, open.tokens, campaign, index);
      watchdog?.beat(entry.name, index);
      const begunMs = performance.now();
      const verdict = await open.attempt(input);
      const tookMs = performance.now() - begunMs;
      slowestMs = Math.max(slowestMs, tookMs);
      done += 1;
      if (verdict.kind === 'accepted') accepted += 1;
      else if (verdict.kind === 'refused') refused[verdict.as] = (refused[verdict.as] ?? 0) + 1;
      else findings.push({ index, reason: verdict.reason, input });
      if (tookMs > SLOW_MS) findings.push({ index, reason: `took ${Math.round(tookMs)} ms`, input });
    }
  };
  await Promise.all(Array.from({ length: open.concurrency }, worker));
  watchdog?.rest();
  return {
    entry: entry.name,
    seed,
    inputs: done,
    accepted,
    refused,
    slowestMs,
    seconds: (performance.now() - startMs) / 1000,
    growthBytes: (await open.memoryBytes()) - ((await settled) ?? 0),
    findings,
  };
}

/** What is not accepted as it is makes mutations that are refused at the first byte. */
async function requireSeeds({ name }: Entry, open: OpenEntry): Promise<void> {
  for (const [index, seed] of open.seeds.entries()) {
    const verdict = await open.attempt(Buffer.from(seed));
    if (verdict.kind === 'accepted') continue;
    const why = verdict.kind === 'refused' ? verdict.as : verdict.reason;
    throw new Error(`seed ${index} of ${name} is not accepted: ${why}`);
  }
}
