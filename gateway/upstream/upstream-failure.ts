import { errors } from 'undici';
import { GatewayError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** Why a variant's server gave no answer that could be used; the metrics count tries by it. */
export type FailureKind =
  /** No connection: refused, unknown host, too slow to connect, TLS that doesn't hold. */
  | 'refused'
  /** The connection ended before the answer did. */
  | 'reset'
  /** No headers, or no end of the answer, within the upstream's own times. */
  | 'slow'
  /** A status that says that it can't answer now, or not to us: 3xx, 401, 403, 404, 429, 502, 503, 504… */
  | 'status'
  /** What came is not the protocol, or not as long as it says. */
  | 'garbage'
  /** The answer has more bytes than are taken. */
  | 'too_large'
  /** It failed so often that it is left alone for a while. */
  | 'open'
  /** It answered 500: the model failed on this input. */
  | 'failed'
  /** It refused a request that the gateway had encoded: the caller's mistake. */
  | 'rejected'
  /** The caller's time is over. */
  | 'expired'
  /** The caller hung up. */
  | 'cancelled';

const CODES: Readonly<Record<FailureKind, ErrorCode>> = {
  refused: 'variant_unavailable',
  reset: 'variant_unavailable',
  slow: 'timeout',
  status: 'variant_unavailable',
  garbage: 'bad_upstream_answer',
  too_large: 'bad_upstream_answer',
  open: 'variant_unavailable',
  failed: 'inference_failed',
  rejected: 'invalid_input',
  expired: 'timeout',
  cancelled: 'cancelled',
};

/** The kinds that say of the server that it can't answer, rather than of the request or of its caller. */
const UNAVAILABLE: ReadonlySet<FailureKind> = new Set([
  'refused',
  'reset',
  'slow',
  'status',
  'garbage',
  'too_large',
  'open',
]);

export interface UpstreamFailureOptions extends ErrorOptions {
  /** The status of the answer, where there was one. */
  readonly status?: number;
  /** For how long its headers were waited for in vain, in milliseconds, where the caller's time ended before them. */
  readonly waitedMs?: number;
}

/** A call of a variant's server that went wrong. The message goes to the caller, so it never names the server's address. */
export class UpstreamFailure extends GatewayError {
  readonly kind: FailureKind;
  readonly upstreamStatus: number | undefined;
  readonly waitedMs: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    { status, waitedMs, ...options }: UpstreamFailureOptions = {},
  ) {
    super(CODES[kind], message, options);
    this.name = 'UpstreamFailure';
    this.kind = kind;
    this.upstreamStatus = status;
    this.waitedMs = waitedMs;
  }

  /** Whether the variant can't answer, so that the experiment says who does. */
  get isUnavailable(): boolean {
    return UNAVAILABLE.has(this.kind);
  }

  /** Whether the same request may succeed at once: inference has no side effects, so it can be sent again. */
  get isTransient(): boolean {
    const { kind, upstreamStatus: status } = this;
    return (
      kind === 'refused' || kind === 'reset' || (kind === 'status' && (status === 502 || status === 503))
    );
  }
}

/** What the connection to a server reports, in the gateway's words. */
export function failureOf(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  const code = codeOf(error);
  const options = { cause: error };
  if (error instanceof errors.HTTPParserError || GARBAGE.test(code))
    return new UpstreamFailure('garbage', "the variant's server answers with what is not HTTP", options);
  if (REFUSED.test(code))
    return new UpstreamFailure('refused', "no connection to the variant's server can be had", options);
  return new UpstreamFailure('reset', "the variant's server ended the connection before its answer", options);
}

const GARBAGE = /^(UND_ERR_RES_CONTENT_LENGTH_MISMATCH$|UND_ERR_HEADERS_OVERFLOW$)/;
const REFUSED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/;

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
