import type { Health, MetricResult, Verdict } from './results.ts';

/** A metric of a variant, as far as the verdict looks. */
export type JudgedMetric = Pick<MetricResult, 'role' | 'variant' | 'outcome' | 'lift' | 'chanceToWin'> & {
  readonly unitsToGo: number | null;
  /** Whether an improvement of the minimum effect or more is ruled out. */
  readonly futile: boolean;
};

type KeepReason = Extract<Verdict, { kind: 'keep' }>['why'];

/** Of several reasons the first of these is told. */
const REASONS: readonly KeepReason[] = ['guardrail', 'no_minimum_effect', 'worse'];

type Standing =
  | { readonly kind: 'winner'; readonly lift: number }
  | { readonly kind: 'out'; readonly why: KeepReason }
  | { readonly kind: 'open'; readonly unitsToGo: number | null };

/**
 * Decides. Health comes first: numbers of a broken experiment are not looked at. A variant ships when a goal is better and no goal and no guardrail is
 * worse; of several, the one with the largest lift of the first goal that is better. It is out when a goal or a guardrail is
 * worse, when it is beyond a fixed value of a guardrail, or when each goal surely lacks its minimum effect. Control stays when all are out.
 *
 * @param breached variants that are beyond a fixed value for sure
 * @param unknownOf guardrails of a variant that nothing is known of: it doesn't ship
 */
export function decide(
  health: Health,
  control: string,
  challengers: readonly string[],
  metrics: readonly JudgedMetric[],
  breached: readonly string[] = [],
  unknownOf: (variant: string) => readonly string[] = () => [],
): Verdict {
  if (!health.models.ok) return { kind: 'broken', cause: 'models' };
  if (!health.srm.ok) return { kind: 'broken', cause: 'sample_ratio' };
  // Who was turned away has no outcome either, so that is the nearer cause.
  if (!health.clientErrors.ok) return { kind: 'broken', cause: 'client_errors' };
  if (!health.outcomes.ok) return { kind: 'broken', cause: 'missing_outcomes' };
  if (!health.overrides.ok) return { kind: 'broken', cause: 'overrides' };

  const standings = challengers.map((variant) => ({
    variant,
    standing: breached.includes(variant)
      ? ({ kind: 'out', why: 'guardrail' } as const)
      : standingOf(metrics.filter((metric) => metric.variant === variant)),
  }));
  let winner: { readonly variant: string; readonly lift: number } | undefined;
  let unitsToGo: number | null = 0;
  let open = false;
  const unknownGuardrails = new Set<string>();
  const reasons = new Set<KeepReason>();
  for (const { variant, standing } of standings) {
    switch (standing.kind) {
      case 'winner':
        if (unknownOf(variant).length > 0) {
          for (const guardrail of unknownOf(variant)) unknownGuardrails.add(guardrail);
          open = true;
          unitsToGo = null;
        } else if (winner === undefined || standing.lift > winner.lift)
          winner = { variant, lift: standing.lift };
        break;
      case 'open':
        open = true;
        unitsToGo =
          unitsToGo === null || standing.unitsToGo === null ? null : Math.max(unitsToGo, standing.unitsToGo);
        break;
      case 'out':
        reasons.add(standing.why);
        break;
    }
  }
  if (winner !== undefined) return { kind: 'ship', variant: winner.variant };
  if (unknownGuardrails.size > 0)
    return { kind: 'keep_running', unitsToGo: null, unknownGuardrails: [...unknownGuardrails] };
  if (open || challengers.length === 0) return { kind: 'keep_running', unitsToGo: open ? unitsToGo : null };
  return { kind: 'keep', variant: control, why: REASONS.find((why) => reasons.has(why)) ?? 'worse' };
}

function standingOf(metrics: readonly JudgedMetric[]): Standing {
  const goals = metrics.filter(({ role }) => role === 'goal');
  const judged = metrics.filter(({ role }) => role !== 'secondary');
  if (judged.some(({ outcome }) => outcome === 'worse')) return { kind: 'out', why: 'worse' };
  const better = goals.find(({ outcome }) => outcome === 'better');
  if (better !== undefined) return { kind: 'winner', lift: Math.abs(better.lift ?? 0) };
  if (goals.length > 0 && goals.every(({ futile }) => futile)) {
    return { kind: 'out', why: 'no_minimum_effect' };
  }
  // The first goal to be conclusive ends it.
  const toGo = goals.flatMap(({ unitsToGo }) => (unitsToGo === null ? [] : [unitsToGo]));
  return { kind: 'open', unitsToGo: toGo.length === 0 ? null : Math.min(...toGo) };
}

/** A verdict in plain language. */
export function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'broken':
      return `broken: ${BROKEN[verdict.cause]}`;
    case 'ship':
      return `ship ${verdict.variant}`;
    case 'keep':
      return `keep ${verdict.variant}`;
    case 'keep_running':
      if (verdict.unknownGuardrails !== undefined)
        return `keep running (nothing is known of guardrail ${verdict.unknownGuardrails.join(', ')})`;
      return verdict.unitsToGo === null
        ? 'keep running'
        : `keep running (needs ~${roundUnits(verdict.unitsToGo)} more units)`;
  }
}

const BROKEN = {
  models: 'the files of a variant were changed',
  sample_ratio: 'sample ratio',
  client_errors: 'variants turn callers away unevenly',
  missing_outcomes: 'exposures without outcomes',
  overrides: 'too many overrides',
} as const;

/** Two digits say what such a forecast knows. */
function roundUnits(units: number): string {
  const digits = Math.max(0, Math.floor(Math.log10(Math.max(units, 1))) - 1);
  return (Math.ceil(units / 10 ** digits) * 10 ** digits).toLocaleString('en-US');
}
