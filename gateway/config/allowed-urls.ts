import type { Refuse } from './refuse.ts';

/** Addresses that a file may be fetched from: those that begin with one of these, in the form that a URL's parser gives them. */
export type AllowedUrls = readonly string[];

export function readAllowedUrls(prefixes: readonly string[], refuse: Refuse): AllowedUrls {
  return prefixes.flatMap((prefix, index) => {
    const url = URL.parse(prefix);
    const fault = url === null ? 'is no address' : faultOf(url);
    if (url !== null && fault === undefined) return [url.href];
    refuse(
      ['models', 'allowedUrls', index],
      `${fault ?? ''}; expected the beginning of addresses, up to a "/", as https://models.example.com/torch/`,
    );
    return [];
  });
}

function faultOf(url: URL): string | undefined {
  if (!/^https?:$/.test(url.protocol)) return 'is neither http nor https';
  if (url.username !== '' || url.password !== '') return 'has a user or a password in it';
  if (url.search !== '' || url.hash !== '') return 'has a query or a fragment';
  if (!url.pathname.endsWith('/')) return 'ends inside a name';
  return undefined;
}

/**
 * Whether an address is among those that are allowed. It is looked at as it would be asked for, so that no `..` leads out of
 * an allowed one; a separator that is written as an escape is refused, as servers differ in whether it is one.
 */
export function isAllowed(url: URL, allowed: AllowedUrls): boolean {
  if (url.username !== '' || url.password !== '' || /%2f|%5c/i.test(url.pathname)) return false;
  return allowed.some((prefix) => `${url.origin}${url.pathname}`.startsWith(prefix));
}
