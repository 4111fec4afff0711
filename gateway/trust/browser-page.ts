import { GatewayError } from '../errors.ts';
import type { CallerHead } from './admission.ts';

/** What changes nothing, whoever has it sent; its answer can't be read by a page of another site. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Keeps web pages of other sites from using a person's browser to control the gateway. Keys are headers, which no page can have a browser send by itself;
 * but without keys, on the gateway's own machine, being there is enough, and a browser is there.
 *
 * @throws GatewayError `cross_site`
 */
export function refuseForeignPages(head: CallerHead, method: string): void {
  if (SAFE_METHODS.has(method)) return;
  const site = head.header('sec-fetch-site');
  const origin = head.header('origin');
  // Browsers say it by themselves where they can; a proxy may have changed the host that the origin is compared with.
  const isOwn =
    site === undefined
      ? origin === undefined || hostOf(origin) === head.header('host')
      : site === 'same-origin' || site === 'none';
  if (isOwn) return;
  throw new GatewayError(
    'cross_site',
    `a page of ${origin?.slice(0, 200) ?? 'another site'} sent this, and only the gateway's own console may`,
  );
}

/**
 * Without keys control answers on the machine's own names only. A page can have its own name lead to this machine (DNS rebinding), and would be
 * of the same site then.
 *
 * @throws GatewayError `control_is_local`
 */
export function refuseForeignNames(head: CallerHead): void {
  const host = head.header('host');
  if (host === undefined || LOCAL_HOST.test(host)) return;
  throw new GatewayError(
    'control_is_local',
    `without keys this is answered at localhost, 127.0.0.1 and [::1] only, not at '${host.slice(0, 200)}'; configure auth.keys to use other names`,
  );
}

const LOCAL_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
