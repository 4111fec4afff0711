import { isRecord } from './admin-client.ts';
import { textTable } from './text-table.ts';

/** What the control plane says of a rollout, as far as it is shown here. */
export interface RolloutAnswer {
  readonly experiment: string;
  readonly rollout: {
    readonly target: { readonly variant: string; readonly version: number };
    readonly state: { readonly kind: string; readonly at?: { readonly step: number } };
    readonly steps: readonly unknown[];
    readonly weight: number;
  } | null;
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

/** What an analysis would decide now, and why. */
export function rolloutText({ experiment, rollout, analysis, would }: RolloutAnswer): string {
  if (rollout === null) return `${experiment} has no rollout that is under way\n`;
  const { target, state, steps, weight } = rollout;
  const step = state.at === undefined ? '' : `, step ${state.at.step + 1} of ${steps.length}`;
  const lines = [
    `rollout of ${target.variant} (version ${target.version}): ${state.kind.replaceAll('_', ' ')}${step}, ${weight} % of the units`,
    '',
  ];
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
