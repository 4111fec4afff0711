import type { Rate } from './rate.ts';
import { SCOPES } from './scopes.ts';
import type { Scope } from './scopes.ts';

/** Who is calling, and what they may do; the holder of a key is one. */
export interface Principal {
  /** The key's id, for logs and breakdowns; empty for a caller without a key. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Undefined: all. */
  readonly models: ReadonlySet<string> | undefined;
  /** Undefined: as many requests as it likes. */
  readonly rate: Rate | undefined;
}

/** Everybody on this machine, where no keys are configured. */
export const ANYBODY: Principal = Object.freeze({
  id: '',
  scopes: new Set(SCOPES),
  models: undefined,
  rate: undefined,
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
  return /^(127\.|::1$|::ffff:127\.)/.test(address);
}
