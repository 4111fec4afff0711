import { formatRate, parseRate } from '../limits/rate.ts';
import type { ShownKey } from './key-desk.ts';
import type { Grant } from './key-store.ts';
import { DEFAULT_PRIORITY, PRIORITIES } from './priority.ts';
import type { Priority } from './priority.ts';
import type { Principal } from './principal.ts';

/** What somebody would get with a key. */
export type Wish = Pick<
  ShownKey,
  'scopes' | 'models' | 'rate' | 'concurrency' | 'daily' | 'priority' | 'expires'
>;

/** A grant as a wish. */
export function wishOf({ scopes, models, rate, concurrency, daily, priority, expires }: Grant): Wish {
  return {
    scopes,
    models: models.length === 0 ? null : models,
    rate: rate ?? null,
    concurrency: concurrency ?? null,
    daily: daily ?? null,
    priority: priority ?? DEFAULT_PRIORITY,
    expires: expires ?? null,
  };
}

/** A grant with its maker's own limits, priority and end where it says nothing of them. */
export function withOwnLimits({ limits, priority, expiresAtMs = Infinity }: Principal, grant: Grant): Grant {
  const own = limits.rate === undefined ? undefined : formatRate(limits.rate);
  return {
    ...grant,
    rate: grant.rate ?? own,
    concurrency: grant.concurrency ?? limits.concurrency,
    daily: grant.daily ?? limits.daily,
    priority: grant.priority ?? lowerOf(priority, DEFAULT_PRIORITY),
    expires: grant.expires ?? (expiresAtMs === Infinity ? undefined : new Date(expiresAtMs).toISOString()),
  };
}

/** What of a wish is more than somebody has, as `the scope override`; undefined: nothing is. */
export function beyondOf(
  { scopes, models, limits, priority, expiresAtMs = Infinity }: Principal,
  wish: Wish,
): string | undefined {
  const own: ReadonlySet<string> = scopes;
  const scope = wish.scopes.find((name) => !own.has(name));
  if (scope !== undefined) return `the scope ${scope}`;
  if (models !== undefined) {
    if (wish.models === null) return 'all models';
    const model = wish.models.find((name) => !models.has(name));
    if (model !== undefined) return `model '${model.slice(0, 64)}'`;
  }
  if (isMore(wish.concurrency, limits.concurrency))
    return `a concurrency above ${String(limits.concurrency)}`;
  if (isMore(wish.daily, limits.daily)) return `more than ${String(limits.daily)} a day`;
  const rate = wish.rate === null ? undefined : parseRate(wish.rate);
  if (
    limits.rate !== undefined &&
    (rate === undefined ||
      rate.limit * limits.rate.periodMs > limits.rate.limit * rate.periodMs ||
      rate.burst > limits.rate.burst)
  )
    return `a rate above ${formatRate(limits.rate)}`;
  if (rankOf(wish.priority) > rankOf(priority)) return `a priority above ${priority}`;
  const endsAtMs = wish.expires === null ? Infinity : Date.parse(wish.expires);
  if (endsAtMs > expiresAtMs) return `an end after ${new Date(expiresAtMs).toISOString()}`;
  return undefined;
}

/** @param wanted null: as much as it likes */
function isMore(wanted: number | null, own: number | undefined): boolean {
  return own !== undefined && (wanted === null || wanted > own);
}

function rankOf(priority: string): number {
  return PRIORITIES.findIndex((name) => name === priority);
}

function lowerOf(a: Priority, b: Priority): Priority {
  return rankOf(a) < rankOf(b) ? a : b;
}
