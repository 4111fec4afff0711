import type { ExperimentShape } from '../shapes.ts';
import { trackByHand } from '../words/rollout-by-hand.ts';
import { trackByPlan } from '../words/rollout-plan.ts';

const STATES = { passed: 'passed', here: 'it stands here', ahead: 'ahead' } as const;

/** The rollout as a line with its stops, and why it stands where it stands. */
export function RolloutTrack({ experiment }: { readonly experiment: ExperimentShape }) {
  const { rollout } = experiment;
  const track = rollout === undefined ? trackByHand(experiment) : trackByPlan(experiment, rollout);
  const { stations, headline, why, tone } = track;
  return (
    <div class={`rollout tone-${tone}`}>
      <ol class="track">
        {stations.map(({ label, detail, state }, index) => (
          <li key={index} class={`station ${state}`} aria-current={state === 'here' ? 'step' : undefined}>
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
