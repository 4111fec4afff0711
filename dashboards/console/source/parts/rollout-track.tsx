import type { ExperimentShape } from '../shapes.ts';
import { trackByHand } from '../words/rollout.ts';

const STATES = { passed: 'passed', here: 'it stands here', ahead: 'ahead' } as const;

/** The rollout as a line with its stops, and why it stands where it stands. */
export function RolloutTrack({ experiment }: { readonly experiment: ExperimentShape }) {
  const { stations, headline, why, tone } = trackByHand(experiment);
  return (
    <div class={`rollout tone-${tone}`}>
      <ol class="track">
        {stations.map(({ label, detail, state }) => (
          <li key={label} class={`station ${state}`} aria-current={state === 'here' ? 'step' : undefined}>
            <i aria-hidden="true" />
            <b>{label}</b>
            <span>{detail}</span>
            <span class="hidden">, {STATES[state]}</span>
          </li>
        ))}
      </ol>
      <p class="rollout-why" aria-live="polite">
        <b>{headline}.</b> {why}
      </p>
    </div>
  );
}
