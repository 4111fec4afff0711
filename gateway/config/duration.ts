/** The longest that a timer of Node takes. */
export const LONGEST_MS = 576 * 3_600_000;

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `30s` becomes 30000. */
export function millisecondsOf(duration: string): number {
  const unit = duration.replace(/^[0-9.]+/, '');
  return Number.parseFloat(duration) * MS[unit as keyof typeof MS];
}
