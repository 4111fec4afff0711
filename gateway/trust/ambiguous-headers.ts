import type { IncomingHttpHeaders } from 'node:http';

/** Every header that the gateway itself acts on; a test finds those that the code reads. Experiments name further ones. */
export const READ_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'baggage',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'idempotency-key',
  'if-none-match',
  'inference-header-content-length',
  'origin',
  'sec-fetch-site',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'upgrade',
  'x-api-key',
  'x-experiment',
  'x-forwarded-for',
  'x-request-id',
]);

/** They are lists, which may come in several lines. */
const LISTS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'baggage',
  'connection',
  'forwarded',
  'tracestate',
  'x-forwarded-for',
]);

/**
 * Whether a request's headers are worth a closer look: one stands twice, or a name has an underscore in it. Of the usual request
 * this is all that is done.
 */
export function mayBeAmbiguous(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean {
  let names = 0;
  for (const name in headers) {
    if (name.includes('_')) return true;
    names += 1;
  }
  return names * 2 !== rawHeaders.length;
}

/** Whether a header means something, by its lower-case name. */
export type IsRead = (name: string) => boolean;

/**
 * Why two servers could read a request in two ways: a header that means something stands twice, of which one takes the first and another the
 * last; or it is misspelled.
 *
 * @param rawHeaders names and values in turn, as they came
 * @param isReadToo beside {@link READ_HEADERS}
 * @param isHttp2 there cookies may come one by one
 */
export function whyAmbiguous(
  rawHeaders: readonly string[],
  isReadToo: IsRead,
  isHttp2: boolean,
): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const isRepeatable = LISTS.has(name) || (isHttp2 && name === 'cookie');
    if (seen.has(name) && !isRepeatable && isRead(name, isReadToo))
      return `the header ${name} was sent twice; send it once`;
    seen.add(name);
    const misspelled = whyMisspelled(name, isReadToo);
    if (misspelled !== undefined) return misspelled;
  }
  return undefined;
}

/** Some servers take a name with underscores for the one with hyphens, and others drop it. */
export function whyMisspelled(name: string, isReadToo: IsRead): string | undefined {
  if (!name.includes('_')) return undefined;
  const meant = name.replaceAll('_', '-');
  return !isRead(name, isReadToo) && isRead(meant, isReadToo)
    ? `the header '${name.slice(0, 64)}' could be taken for ${meant}; send ${meant}, or another name`
    : undefined;
}

function isRead(name: string, isReadToo: IsRead): boolean {
  return READ_HEADERS.has(name) || isReadToo(name);
}
