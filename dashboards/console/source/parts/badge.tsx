import type { ExperimentShape } from '../shapes.ts';
import { standingOf } from '../words/status.ts';
import type { Tone } from '../words/verdict.ts';

const SIGNS: Readonly<Record<Tone, string>> = { good: '▲', bad: '▼', open: '◌', still: '■' };

/** A word with a sign and a colour, in this order of what it is told by. */
export function Badge({ tone, children }: { readonly tone: Tone; readonly children: string }) {
  return (
    <span class={`badge tone-${tone}`}>
      <i aria-hidden="true">{SIGNS[tone]}</i>
      {children}
    </span>
  );
}

export function StatusBadge({ experiment }: { readonly experiment: ExperimentShape }) {
  const { word, sign, tone } = standingOf(experiment);
  return (
    <span class={`badge tone-${tone}`}>
      <i aria-hidden="true">{sign}</i>
      {word}
    </span>
  );
}
