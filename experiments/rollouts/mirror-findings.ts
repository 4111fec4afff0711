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
  /** Compared copies whose answer had a value that is not finite, and of those that callers got. */
  readonly nonFinite: { readonly answered: number; readonly mirrored: number };
  /** Compared copies whose answer had other outputs, or of another shape or type. */
  readonly otherShape: number;
  /** Copies that the variant failed to answer. */
  readonly failed: number;
}

/** Of the copies that were sent, more that fail than this are no chance. */
const MOST_FAILED = 0.1;

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
  const failed = evidence?.failed ?? 0;
  if (failed > MOST_FAILED * (compared + failed) && compared + failed >= gate.minComparisons) {
    return [
      finding('failed', 'fail', `${variant} failed to answer ${failed} of ${compared + failed} copies`),
    ];
  }
  if (evidence === undefined || compared < gate.minComparisons) {
    return [finding('comparisons', 'no_data', `${compared} of ${gate.minComparisons} copies were compared`)];
  }
  return [
    ...formFindings(variant, evidence, finding),
    ...agreementFindings(gate, variant, evidence, finding),
    ...driftFindings(gate, variant, evidence, finding),
  ];
}

/** What no gate has to ask for. */
function formFindings(
  variant: string,
  { compared, nonFinite, otherShape }: MirrorEvidence,
  finding: Make,
): readonly Finding[] {
  const findings: Finding[] = [];
  if (nonFinite.mirrored > nonFinite.answered) {
    const seen = `${variant} answers ${nonFinite.mirrored} of ${compared} copies with a value that is not finite`;
    findings.push(finding('nan', 'fail', `${seen}, and callers got ${nonFinite.answered}`));
  }
  if (otherShape > 0) {
    const seen = `${variant} answers ${otherShape} of ${compared} copies with other outputs, shapes or types`;
    findings.push(finding('shape', 'fail', seen));
  }
  return findings;
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
    `${variant} answers ${percent(agreement.share)} of the units alike, over ${compared} copies ` +
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
