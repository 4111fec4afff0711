import type { Static } from 'typebox';
import type { PRESETS, StepSchema } from './rollout-schema.ts';

type StepFile = Static<typeof StepSchema>;

/** The weights of a canary, in percent; the last one is the promotion. */
const CANARY_WEIGHTS = [1, 5, 10, 25, 50, 100];

const CANARY: readonly StepFile[] = CANARY_WEIGHTS.flatMap((setWeight) =>
  setWeight < 100 ? [{ setWeight }, { analysis: {} }] : [{ setWeight }],
);

/** The steps that a preset stands for; a file could say the same. */
export const PRESET_STEPS: Readonly<Record<(typeof PRESETS)[number], readonly StepFile[]>> = {
  /** A percent first, and more whenever an analysis passes. */
  canary: CANARY,
  /** Nobody, until a person has looked at it by an override; then everybody at once. */
  'blue-green': [{ setWeight: 0 }, { pause: {} }, { setWeight: 100 }, { analysis: {} }],
  /** Copies of a tenth of the requests have to be answered alike before the first percent is answered for real. */
  'mirror-first': [
    { setMirrorRoute: { percentage: 10 } },
    { analysis: { mirror: { minAgreement: 0.98 } } },
    { setMirrorRoute: { percentage: 0 } },
    ...CANARY,
  ],
};
