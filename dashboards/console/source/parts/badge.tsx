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

const STATUS: Readonly<Record<string, { readonly sign: string; readonly tone: Tone }>> = {
  running: { sign: '●', tone: 'good' },
  paused: { sign: '❙❙', tone: 'open' },
  completed: { sign: '■', tone: 'still' },
};

export function StatusBadge({ status }: { readonly status: string }) {
  const { sign, tone } = STATUS[status] ?? { sign: '◌', tone: 'open' };
  return (
    <span class={`badge tone-${tone}`}>
      <i aria-hidden="true">{sign}</i>
      {status}
    </span>
  );
}
