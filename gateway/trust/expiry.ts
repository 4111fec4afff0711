const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const EXPIRY_EXPECTED = 'a duration as 90d, 12h or 30m';

/** How long a rotated key still opens where nothing is said, so that its holders can change over. */
export const ROTATION_MS = UNIT_MS.d;

/** `90d` in milliseconds; undefined for what is no duration. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = /^([1-9][0-9]{0,5})(s|m|h|d)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

/**
 * When a key ends.
 *
 * @param text a duration from now, a date or a time
 * @returns an ISO time; undefined for what is none of them
 */
export function expiryOf(text: string, nowMs: number): string | undefined {
  const ms = durationMs(text);
  if (ms !== undefined) return new Date(nowMs + ms).toISOString();
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?$/.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : new Date(atMs).toISOString();
}
