import type { UpstreamAnswer } from './exchange.ts';
import type { CallLimits, UpstreamRequest } from './upstream-server.ts';
import type { UpstreamVersion } from './upstream-version.ts';

/**
 * Has a variant's server answer the requests that one call takes, all at once. Where one of them fails the others are ended: nobody would get their answers.
 *
 * @returns what was read of the answers, in the requests' order
 * @throws what {@link UpstreamVersion.forward} throws of the first that failed
 */
export async function forwardSideBySide<Read>(
  version: Pick<UpstreamVersion, 'forward'>,
  requests: readonly UpstreamRequest[],
  limits: CallLimits,
  read: (answer: UpstreamAnswer) => Read,
): Promise<readonly Read[]> {
  const ending = new AbortController();
  const signals = limits.signal === undefined ? [ending.signal] : [limits.signal, ending.signal];
  const all = { ...limits, signal: AbortSignal.any(signals) };
  try {
    return await Promise.all(requests.map((request) => version.forward(request, all, read)));
  } catch (error) {
    ending.abort('another request of the same call failed');
    throw error;
  }
}
