/** So many requests in so long, and how many of them may come at once. */
export interface Rate {
  /** Requests a period, >= 1. */
  readonly limit: number;
  readonly periodMs: number;
  /** Requests that may come at once, >= 1. */
  readonly burst: number;
}

const RATE = /^([1-9][0-9]{0,8})\/(s|m|h|d)(?: burst ([1-9][0-9]{0,8}))?$/;

export const RATE_PATTERN = RATE.source;

export const RATE_EXPECTED = 'a rate as 100/s, 6000/m or 100/s burst 200';

const PERIOD_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const UNITS = { 1000: 's', 60_000: 'm', 3_600_000: 'h', 86_400_000: 'd' } as const;

/** A rate as {@link parseRate} reads it. */
export function formatRate({ limit, periodMs, burst }: Rate): string {
  const unit = UNITS[periodMs as keyof typeof UNITS];
  return `${limit}/${unit} burst ${burst}`;
}

/** Reads `100/s`, where the burst is as much as a second brings (at least 1), or `100/s burst 200`; undefined for anything else. */
export function parseRate(text: string): Rate | undefined {
  const [, limitText, unit, burstText] = RATE.exec(text) ?? [];
  if (limitText === undefined) return undefined;
  const limit = Number(limitText);
  const periodMs = PERIOD_MS[unit as keyof typeof PERIOD_MS];
  const burst =
    burstText === undefined ? Math.max(1, Math.ceil((limit * 1000) / periodMs)) : Number(burstText);
  return { limit, periodMs, burst };
}
