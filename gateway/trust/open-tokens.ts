import type { Config } from '../config/config.ts';
import type { TokenVerifier } from './jwt.ts';

/** Undefined: the configuration takes no tokens. */
export async function openTokens({ tokens }: Config['auth']): Promise<TokenVerifier | undefined> {
  if (tokens === undefined) return undefined;
  // Only who takes tokens pays for the package that checks them.
  const { TokenVerifier } = await import('./jwt.ts');
  return new TokenVerifier(tokens);
}
