import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import type { ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';

/** What the numbers of `signalbox_rollout_state` mean. */
export const ROLLOUT_STATES = {
  rolled_back: -1,
  none: 0,
  progressing: 1,
  paused: 2,
  promoted: 3,
} as const;

const COLORS: Readonly<Record<keyof typeof ROLLOUT_STATES, string>> = {
  rolled_back: 'red',
  none: 'text',
  progressing: 'blue',
  paused: 'orange',
  promoted: 'green',
};

/** The names in place of the numbers. */
export function rolloutMapping(): ValueMapping {
  const states = Object.keys(ROLLOUT_STATES) as (keyof typeof ROLLOUT_STATES)[];
  return {
    type: MappingType.ValueToText,
    options: Object.fromEntries(
      states.map((state) => [
        String(ROLLOUT_STATES[state]),
        { text: state.replace('_', ' '), color: COLORS[state] },
      ]),
    ),
  };
}
