/** What an analysis came to, in the order in which they win: what fails is not waited out. */
export const ANALYSIS_OUTCOMES = ['fail', 'unhealthy', 'no_data', 'inconclusive', 'pass'] as const;

/**
 * `fail`: something is worse than it may be. `unhealthy`: what is measured can't be believed, or somebody who was asked can't answer.
 * `no_data`: too few units have counted. `inconclusive`: it looks bad or can't be told, and nothing is proven.
 */
export type AnalysisOutcome = (typeof ANALYSIS_OUTCOMES)[number];

/** What one thing that was looked at says. */
export interface Finding {
  /** `guardrail`: against the control; `threshold`: against a fixed value; the others as they are named in the plan. */
  readonly source: 'guardrail' | 'threshold' | 'mirror' | 'query' | 'webhook' | 'units' | 'health';
  /** The metric's, the query's or the webhook's name. */
  readonly name: string;
  readonly outcome: AnalysisOutcome;
  /** In plain words, with the figures. */
  readonly message: string;
  /** Set where no later look finds it otherwise: the rollout waits for a person. */
  readonly isLasting?: true;
}

/** What an analysis came to, and why. */
export interface Judgement {
  readonly outcome: AnalysisOutcome;
  readonly findings: readonly Finding[];
}

/** The worst finding decides; nothing found is a pass. */
export function judgementOf(findings: readonly Finding[]): Judgement {
  const outcome = ANALYSIS_OUTCOMES.find((candidate) =>
    findings.some((finding) => finding.outcome === candidate),
  );
  return { outcome: outcome ?? 'pass', findings };
}

/** Whether a failure stands by itself. What a query or a webhook says of one moment may pass again, and is counted. */
export function isProven({ source, outcome }: Finding): boolean {
  return outcome === 'fail' && source !== 'query' && source !== 'webhook';
}

/** What the rollout has to wait for a person for, if anything. */
export function lastingDoubt({ findings }: Judgement): Finding | undefined {
  return findings.find(({ outcome, isLasting }) => outcome === 'unhealthy' && isLasting === true);
}

/** The findings behind an outcome, as one sentence. */
export function explain({ outcome, findings }: Judgement): string {
  const reasons = findings.filter((finding) => finding.outcome === outcome).map(({ message }) => message);
  return reasons.length === 0 ? 'nothing is worse than it may be' : reasons.join('; ');
}
