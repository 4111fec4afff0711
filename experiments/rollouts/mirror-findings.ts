import { figure, percent } from './figure.ts';
import type { Finding } from './judgement.ts';
import type { MirrorGate } from './plan.ts';

/** What the copies that a variant got have shown, whoever compared them. */
export interface MirrorEvidence {
  /** Copies whose answers were compared with those that callers got. */
  readonly compared: number;
  /** The share of units that both answer alike, with its interval that holds at all looks together; null where answers name no class. */
  readonly agreement: {
    readonly share: number;
    readonly interval: readonly [low: number, high: number];
  } | null;
  /** The population stability index of the answers; null where there is nothing to take it of. */
  readonly psi: number | null;
}

/** Holds the copies against a gate. @param evidence undefined: nothing was compared */
export function mirrorFindings(
  gate: MirrorGate,
  variant: string,
  evidence: MirrorEvidence | undefined,
): readonly Finding[] {
  const finding = (name: string, outcome: Finding['outcome'], message: string): Finding => ({
    source: 'mirror',
    name,
    outcome,
    message,
  });
  const compared = evidence?.compared ?? 0;
  if (evidence === undefined || compared < gate.minComparisons) {
    return [finding('comparisons', 'no_data', `${compared} of ${gate.minComparisons} copies were compared`)];
  }
  return [
    ...agreementFindings(gate, variant, evidence, finding),
    ...driftFindings(gate, variant, evidence, finding),
  ];
}

type Make = (name: string, outcome: Finding['outcome'], message: string) => Finding;

function agreementFindings(
  { minAgreement }: MirrorGate,
  variant: string,
  { agreement, compared }: MirrorEvidence,
  finding: Make,
): readonly Finding[] {
  if (minAgreement === undefined) return [];
  if (agreement === null) {
    return [
      finding(
        'agreement',
        'unhealthy',
        `the answers of ${variant} name no class, so their agreement can't be told`,
      ),
    ];
  }
  const [low, high] = agreement.interval;
  const seen =
    `${variant} answers ${percent(agreement.share)} of ${compared} copies alike ` +
    `(${percent(low)} to ${percent(high)}), and at least ${percent(minAgreement)} is asked for`;
  if (high < minAgreement) return [finding('agreement', 'fail', seen)];
  return [finding('agreement', agreement.share < minAgreement ? 'inconclusive' : 'pass', seen)];
}

/** The index has no interval: with as many copies as the gate asks for it is taken as it is. */
function driftFindings(
  { maxDrift }: MirrorGate,
  variant: string,
  { psi, compared }: MirrorEvidence,
  finding: Make,
): readonly Finding[] {
  if (maxDrift === undefined) return [];
  if (psi === null)
    return [
      finding(
        'drift',
        'unhealthy',
        `the answers of ${variant} have no classes or scores to take their drift of`,
      ),
    ];
  const seen = `the answers of ${variant} have drifted by ${figure(psi)} over ${compared} copies, and ${figure(maxDrift)} is allowed`;
  return [finding('drift', psi > maxDrift ? 'fail' : 'pass', seen)];
}
