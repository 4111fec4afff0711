import { isRecord } from './admin-client.ts';
import { textTable } from './text-table.ts';

type ToldStep =
  | { readonly kind: 'setWeight'; readonly weight: number }
  | { readonly kind: 'pause'; readonly durationMs: number | null }
  | { readonly kind: 'analysis'; readonly count: number }
  | { readonly kind: 'match'; readonly rules: number }
  | { readonly kind: 'setMirrorRoute'; readonly percentage: number };

/** A rollout as the control plane describes it, as far as it is shown here. */
export interface ToldRollout {
  readonly target: { readonly variant: string; readonly version: number };
  readonly state: {
    readonly kind: string;
    readonly at?: { readonly step: number; readonly passes: number };
    readonly hold?: { readonly by: string; readonly untilMs?: number };
  };
  readonly steps: readonly ToldStep[];
  readonly weight: number;
}

/** What the control plane says of a rollout, as far as it is shown here. */
export interface RolloutAnswer {
  readonly experiment: string;
  readonly rollout: ToldRollout | null;
  readonly analysis?: {
    readonly outcome: string;
    readonly findings: readonly {
      readonly source: string;
      readonly outcome: string;
      readonly message: string;
    }[];
  } | null;
  readonly would?: {
    readonly state: { readonly kind: string };
    readonly cause: { readonly message: string };
  } | null;
}

export function isRolloutAnswer(answer: unknown): answer is RolloutAnswer {
  return isRecord(answer) && typeof answer.experiment === 'string' && 'rollout' in answer;
}

function rolloutLine({ target: { variant, version }, state, steps, weight }: ToldRollout): string {
  const what = version === 0 ? variant : `${variant} (version ${version})`;
  const step =
    state.at === undefined || state.at.step >= steps.length
      ? ''
      : `, step ${state.at.step + 1} of ${steps.length}`;
  const why = state.hold === undefined ? '' : ` ${holdText(state.hold)}`;
  return `rollout of ${what}: ${state.kind.replaceAll('_', ' ')}${why}${step}, ${weight} % of the units`;
}

/** What a paused rollout waits for. */
function holdText({ by, untilMs }: NonNullable<ToldRollout['state']['hold']>): string {
  switch (by) {
    case 'plan':
      return untilMs === undefined ? 'by its plan' : `by its plan until ${new Date(untilMs).toISOString()}`;
    case 'person':
      return 'by a person, until somebody resumes it';
    case 'inconclusive':
      return 'for a person: its analyses can’t tell';
    default:
      return 'for a person: what is measured can’t be believed';
  }
}

/** Where a rollout stands, and its plan, a line a step. */
export function planLines(rollout: ToldRollout): readonly string[] {
  const { steps, state } = rollout;
  const isDone = state.kind === 'promoting' || state.kind === 'succeeded';
  const here = state.at?.step ?? (isDone ? steps.length : -1);
  return [
    rolloutLine(rollout),
    ...steps.map((step, index) => {
      const passes = index === here ? (state.at?.passes ?? 0) : 0;
      return `  ${index < here ? 'done' : index === here ? 'here' : '    '}  ${stepText(step, passes)}`;
    }),
  ];
}

function stepText(step: ToldStep, passes: number): string {
  switch (step.kind) {
    case 'setWeight':
      return `${step.weight} %`;
    case 'pause':
      return step.durationMs === null ? 'until a person says so' : `pause of ${step.durationMs / 1000} s`;
    case 'analysis':
      return step.count === 1
        ? 'an analysis'
        : `${step.count} analyses${passes > 0 ? `, ${passes} passed` : ''}`;
    case 'match':
      return step.rules === 0
        ? 'nobody by rule any more'
        : `whom ${step.rules === 1 ? 'a rule' : `${step.rules} rules`} names`;
    case 'setMirrorRoute':
      return `copies of ${step.percentage} % of the requests`;
  }
}

/** What an analysis would decide now, and why. */
export function rolloutText({ experiment, rollout, analysis, would }: RolloutAnswer): string {
  if (rollout === null) return `${experiment} has no rollout that is under way\n`;
  const lines = [rolloutLine(rollout), ''];
  if (analysis === undefined || analysis === null) return lines.join('\n');
  lines.push(`an analysis now: ${analysis.outcome.replaceAll('_', ' ')}`);
  const rows = analysis.findings.map((finding) => [finding.source, finding.outcome, finding.message]);
  if (rows.length > 0) lines.push(...textTable(['source', 'outcome', 'why'], rows, 3));
  lines.push(
    would === undefined || would === null
      ? 'it would change nothing'
      : `it would go to: ${would.state.kind.replaceAll('_', ' ')}, because ${would.cause.message}`,
  );
  return `${lines.join('\n')}\n`;
}
