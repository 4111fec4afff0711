/** The longest that a timer of Node takes. */
const LONGEST_MS = 576 * 3_600_000;

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `30s` becomes 30000. */
export function millisecondsOf(duration: string): number {
  const unit = duration.replace(/^[0-9.]+/, '');
  return Number.parseFloat(duration) * MS[unit as keyof typeof MS];
}

/** Whether a timer can wait so long: timers count whole milliseconds, up to 2^31 - 1 of them. */
export function isTimerMs(ms: number, leastMs = 1): boolean {
  return Number.isInteger(ms) && ms >= leastMs && ms <= LONGEST_MS;
}
