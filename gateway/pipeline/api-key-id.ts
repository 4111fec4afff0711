import type { Call } from './call.ts';

const KEY = /^sb_([A-Za-z0-9-]{1,64})_[A-Za-z0-9_-]{43}$/;

/**
 * The id of the key that a call carries, as `Authorization: Bearer` or `X-API-Key`: what may be split by, shown and
 * matched. Whether the key is good is not asked here.
 *
 * @returns undefined where there is no key, or one of another make
 */
export function apiKeyId(call: Pick<Call, 'header'>): string | undefined {
  const authorization = call.header('authorization');
  const bearer = authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  return KEY.exec(bearer ?? call.header('x-api-key') ?? '')?.[1];
}
