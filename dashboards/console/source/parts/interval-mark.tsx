import type { MetricResult } from '../shapes.ts';

/** A metric's always-valid interval against zero, drawn; its figures stand beside it. */
export function IntervalMark({ metric, reach }: { readonly metric: MetricResult; readonly reach: number }) {
  const { lift, anytime, outcome } = metric;
  const at = (value: number): number => 50 + (Math.max(-reach, Math.min(reach, value)) / reach) * 48;
  const [low, high] = anytime.interval ?? [null, null];
  const from = at(low ?? -reach);
  const to = at(high ?? reach);
  return (
    <svg
      class={`interval-mark outcome-${outcome}`}
      viewBox="0 0 100 16"
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <line class="zero" x1="50" x2="50" y1="0" y2="16" />
      {anytime.interval !== null && (
        <rect x={from} width={Math.max(0.5, to - from)} y="5.5" height="5" rx="1" />
      )}
      {lift !== null && <line class="lift" x1={at(lift)} x2={at(lift)} y1="2.5" y2="13.5" />}
    </svg>
  );
}

/** The largest end that is known, so that all marks of a table have one scale. */
export function reachOf(metrics: readonly MetricResult[]): number {
  const ends = metrics.flatMap(({ lift, anytime }) => [
    lift ?? 0,
    ...(anytime.interval ?? []).map((end) => end ?? 0),
  ]);
  return Math.max(0.01, ...ends.map(Math.abs));
}
