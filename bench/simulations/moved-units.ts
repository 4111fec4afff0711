import { compareArms } from '../../experiments/statistics/estimates/comparison.ts';
import { sampleOfProportion } from '../../experiments/statistics/estimates/sample.ts';
import { closeWindow, expose, settle } from '../../experiments/stores/ledger.ts';
import type { Outcome, Step, UnitExposure, UnitState } from '../../experiments/stores/ledger.ts';
import { readTallies } from '../../experiments/stores/tallies.ts';
import type { TallyDelta } from '../../experiments/stores/tallies.ts';
import { isAlarm } from './believed-sequence.ts';
import type { Scenario } from './scenario.ts';

type Event =
  'false alarm at the end' | 'outcomes after the move left out: false alarm at the end' | 'a unit was moved';

const HOUR_MS = 3_600_000;
const WINDOW_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 10, 22);
const METRIC = { name: 'bought', kind: 'proportion', windowMs: WINDOW_MS } as const;
const EPOCHS = [
  { epoch: 1, seed: '', coverage: 1, weights: { v1: 90, v2: 10 } },
  { epoch: 2, seed: '', coverage: 1, weights: { v1: 50, v2: 50 } },
] as const;

/**
 * Weights go from 90/10 to 50/50 18 hours in, while units that come back every three hours have windows of a day. Every second one buys, at any hour after its first
 * visit, and its outcome names the visit before. Nothing differs between the variants. Units and sums are the product's own.
 */
export function movedUnits(units: number): Scenario<Event> {
  return {
    name: 'A/A, windows of a day, 90/10 then 50/50 after 18 hours, units that return',
    claims: {
      'false alarm at the end': { kind: 'at most', rate: 0.05 },
      'outcomes after the move left out: false alarm at the end': { kind: 'contrast' },
      'a unit was moved': { kind: 'contrast' },
    },
    run(random) {
      const [all, kept] = [new Map<string, number>(), new Map<string, number>()];
      let moved = 0;
      for (let index = 0; index < units; index += 1) {
        const draw = random();
        const arrivalMs = START_MS + 24 * HOUR_MS * random();
        const boughtMs = random() < 0.5 ? arrivalMs + WINDOW_MS * random() : undefined;
        moved += isMoved(draw, arrivalMs, boughtMs) ? 1 : 0;
        add(all, lifeOf(index, draw, arrivalMs, boughtMs));
        add(kept, lifeOf(index, draw, arrivalMs, isMoved(draw, arrivalMs, boughtMs) ? undefined : boughtMs));
      }
      return {
        'false alarm at the end': alarms(all),
        'outcomes after the move left out: false alarm at the end': alarms(kept),
        'a unit was moved': moved > 0,
      };
    },
  };
}

/** A unit has the second variant where its draw is below that one's share, so that only units of the first are moved. */
function assigned(draw: number, atMs: number): { readonly epoch: number; readonly variant: 'v1' | 'v2' } {
  const { epoch, weights } = atMs < START_MS + 18 * HOUR_MS ? EPOCHS[0] : EPOCHS[1];
  return { epoch, variant: draw < weights.v2 / 100 ? 'v2' : 'v1' };
}

/** The visit before a moment. */
function visitBefore(arrivalMs: number, atMs: number): number {
  return arrivalMs + Math.floor((atMs - arrivalMs) / (3 * HOUR_MS)) * 3 * HOUR_MS;
}

function isMoved(draw: number, arrivalMs: number, boughtMs: number | undefined): boolean {
  if (boughtMs === undefined) return false;
  return assigned(draw, arrivalMs).variant !== assigned(draw, visitBefore(arrivalMs, boughtMs)).variant;
}

/** What a unit adds to the sums from its first visit to the end of its window. */
function lifeOf(
  index: number,
  draw: number,
  arrivalMs: number,
  boughtMs: number | undefined,
): readonly TallyDelta[] {
  const unit = index.toString(16).padStart(16, '0');
  const scope = { experiment: 'a-a', phase: 1, unit, windowsMs: [WINDOW_MS] };
  const visit = (atMs: number): UnitExposure => ({
    ...scope,
    ...assigned(draw, atMs),
    uid: Math.round(atMs).toString(16).padStart(16, '0'),
    atMs,
    keyId: '',
    values: {},
  });
  let state: UnitState | undefined;
  const deltas: TallyDelta[] = [];
  const take = (step: Step): void => {
    state = step.unit ?? state;
    deltas.push(...step.deltas);
  };
  take(expose(state, visit(arrivalMs)));
  if (boughtMs !== undefined) {
    const last = visit(visitBefore(arrivalMs, boughtMs));
    take(expose(state, last));
    const bought: Outcome = {
      ...scope,
      epoch: last.epoch,
      variant: last.variant,
      uid: last.uid,
      issuedMs: last.atMs,
      receivedMs: boughtMs,
      expiresMs: boughtMs + WINDOW_MS,
      metric: METRIC,
      value: { x: 1, y: 1 },
    };
    take(settle(state, bought));
  }
  if (state !== undefined) take(closeWindow(state, WINDOW_MS, [METRIC]));
  return deltas;
}

function add(sums: Map<string, number>, deltas: readonly TallyDelta[]): void {
  for (const [field, amount] of deltas) sums.set(field, (sums.get(field) ?? 0) + amount);
}

function alarms(sums: ReadonlyMap<string, number>): boolean {
  const { epochs } = readTallies('a-a', 1, sums, EPOCHS);
  const comparison = compareArms(
    epochs.map(({ variants }) => {
      const [v1, v2] = [variants.v1?.metrics.bought, variants.v2?.metrics.bought];
      return {
        control: sampleOfProportion(v1?.units ?? 0, v1?.sumX ?? 0),
        variant: sampleOfProportion(v2?.units ?? 0, v2?.sumX ?? 0),
      };
    }),
  );
  return isAlarm(comparison);
}
