/** Why a control plane was not heard. */
export interface AdminFault {
  /** What it was, as `it did not answer within 10 s`, and what to look at. */
  readonly message: string;
  /** Whether it may have got what was sent: then nobody knows whether it was carried out. */
  readonly mayHaveArrived: boolean;
}

/** Nobody is there: nothing was sent. */
const ABSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Few servers say so before they hang up. */
const CERTIFICATE =
  'for a certificate of its issuers (tls.admin.ca), set SIGNALBOX_CERT to the file of one, and SIGNALBOX_CERT_KEY to its key';

const HANG_UPS: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * Says what `fetch`, or the reading of its answer, failed with.
 *
 * @param url the address as it was named
 */
export function adminFault(url: string, error: unknown, timeoutMs: number): AdminFault {
  if (error instanceof Error && error.name === 'TimeoutError') {
    const message = `${url} did not answer within ${timeoutMs / 1000} s; it may be stopped, or very busy`;
    return { message, mayHaveArrived: true };
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const said = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (ABSENT.has(code)) {
    const message = `no control plane answers at ${url} (${code}); set listen.admin in its configuration, or name another with --admin`;
    return { message, mayHaveArrived: false };
  }
  if (isTls(code)) {
    if (/certificate.required|alert.(?:bad.certificate|unknown.ca|certificate)/i.test(`${code} ${said}`)) {
      const message = `no TLS connection to ${url} (${code}): it asks ${CERTIFICATE}`;
      return { message, mayHaveArrived: false };
    }
    const look = /wrong.version.number|packet length too long/i.test(`${code} ${said}`)
      ? 'it speaks no TLS; name it with http://'
      : 'set NODE_EXTRA_CA_CERTS to the file of its issuer, or name it as its certificate does';
    return { message: `no TLS connection to ${url} (${code}): ${look}`, mayHaveArrived: false };
  }
  if (HANG_UPS.has(code) || code.startsWith('HPE_')) {
    const look = url.startsWith('http:')
      ? '; if it speaks TLS, name it with https://'
      : `; if it asks ${CERTIFICATE}`;
    return { message: `${url} hung up without an answer (${code})${look}`, mayHaveArrived: true };
  }
  if (said.includes('redirect')) {
    const message = `${url} answers with a redirect, which is not followed, as a key goes nowhere else; name the address itself`;
    return { message, mayHaveArrived: false };
  }
  return { message: `${url} can't be asked: ${said}`, mayHaveArrived: true };
}

function isTls(code: string): boolean {
  return /^(EPROTO|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code);
}
