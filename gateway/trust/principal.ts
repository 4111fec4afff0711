import type { CallerLimits } from '../limits/caller-limits.ts';
import { UNLIMITED } from '../limits/caller-limits.ts';
import { DEFAULT_PRIORITY } from './priority.ts';
import type { Priority } from './priority.ts';
import { SCOPES } from './scopes.ts';
import type { Scope } from './scopes.ts';

/** Who is calling, and what they may do; the holder of a key is one. */
export interface Principal {
  /** The key's id, for logs and breakdowns; empty for a caller without a key. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Undefined: all. */
  readonly models: ReadonlySet<string> | undefined;
  readonly limits: CallerLimits;
  /** Who is shed last when there is too much to do. */
  readonly priority: Priority;
  /** When a key ends, in milliseconds since the epoch; left out, or infinite: never. A token ends by its issuer's will, who gives another one. */
  readonly expiresAtMs?: number;
  /** Where a caller without a key calls from; left out for the others. */
  readonly address?: string;
}

/** Everybody on this machine, where no keys are configured. */
export const ANYBODY: Principal = Object.freeze({
  id: '',
  scopes: new Set(SCOPES),
  models: undefined,
  limits: UNLIMITED,
  priority: DEFAULT_PRIORITY,
});

/** Somebody from another machine, where no keys are configured: control is not for strangers. */
export const STRANGER: Principal = Object.freeze({
  ...ANYBODY,
  scopes: new Set(SCOPES.filter((scope) => !scope.startsWith('admin:'))),
});

/** Somebody who was not admitted, and may do nothing. */
export const NOBODY: Principal = Object.freeze({ ...ANYBODY, scopes: new Set<Scope>() });

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}
