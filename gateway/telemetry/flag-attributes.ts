import type { Choice } from '../../experiments/decision.ts';

/**
 * A decision in OpenTelemetry's words; an experiment is a flag of its key, whose variant is what the caller got.
 *
 * Source of the names: OpenTelemetry's semantic conventions for feature flags in logs, release candidate.
 */
export function flagAttributes({ experiment, variant, reason }: Choice) {
  return {
    'feature_flag.key': experiment.key,
    'feature_flag.provider.name': 'signalbox',
    'feature_flag.result.variant': variant.name,
    'feature_flag.result.reason': FLAG_REASONS[reason],
    'feature_flag.version': `${experiment.phase}.${experiment.weightsVersion}`,
    'signalbox.reason': reason,
  };
}

/** The conventions' values of `feature_flag.result.reason`: where one of them fits, no other may be used. */
const FLAG_REASONS: Readonly<Record<Choice['reason'], string>> = {
  split: 'split',
  sticky: 'split',
  override: 'targeting_match',
  targeting: 'targeting_match',
  default: 'default',
  holdout: 'default',
  fallback: 'default',
};
