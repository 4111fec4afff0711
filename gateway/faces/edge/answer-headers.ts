/**
 * What browsers are told with every answer of a plane. The data plane's answers are data: no browser is to guess that they were a page.
 * The control plane's may be shown nowhere, framed by nobody and kept by nobody; its pages loosen that for what they are made of.
 *
 * Source: OWASP REST Security Cheat Sheet, "Security Headers".
 */
const DATA = { 'x-content-type-options': 'nosniff' } as const;

const CONTROL = {
  ...DATA,
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
} as const;

/** A browser that came over TLS once comes so for a year. */
const OVER_TLS = { 'strict-transport-security': 'max-age=31536000' } as const;

/** @param kind of the plane's answers */
export function edgeAnswerHeaders(
  kind: 'data' | 'control',
  isEncrypted: boolean,
): Readonly<Record<string, string>> {
  return { ...(kind === 'data' ? DATA : CONTROL), ...(isEncrypted && OVER_TLS) };
}
