import { Metadata, status } from '@grpc/grpc-js';
import type { StatusObject } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { GatewayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { errorHeaders } from '../retry-after.ts';

/** The status that each error of the catalogue is answered with over gRPC; `docs/grpc.md` says the same. */
export const GRPC_STATUS: Readonly<Record<ErrorCode, status>> = {
  unauthorized: status.UNAUTHENTICATED,
  issuer_unavailable: status.UNAVAILABLE,
  forbidden: status.PERMISSION_DENIED,
  rate_limited: status.RESOURCE_EXHAUSTED,
  quota_exceeded: status.RESOURCE_EXHAUSTED,
  concurrency_limited: status.RESOURCE_EXHAUSTED,
  no_keys: status.FAILED_PRECONDITION,
  unknown_key: status.NOT_FOUND,
  keys_unavailable: status.UNAVAILABLE,
  unknown_model: status.NOT_FOUND,
  unknown_path: status.UNIMPLEMENTED,
  method_not_allowed: status.UNIMPLEMENTED,
  expectation_failed: status.UNIMPLEMENTED,
  invalid_version: status.INVALID_ARGUMENT,
  model_unavailable: status.UNAVAILABLE,
  variant_unavailable: status.UNAVAILABLE,
  bad_upstream_answer: status.UNAVAILABLE,
  no_experiment: status.INVALID_ARGUMENT,
  unknown_experiment: status.INVALID_ARGUMENT,
  unknown_variant: status.INVALID_ARGUMENT,
  ambiguous_override: status.INVALID_ARGUMENT,
  unknown_flag: status.NOT_FOUND,
  experiment_not_found: status.NOT_FOUND,
  variant_not_found: status.INVALID_ARGUMENT,
  variant_not_ready: status.FAILED_PRECONDITION,
  command_refused: status.FAILED_PRECONDITION,
  files_differ: status.FAILED_PRECONDITION,
  idempotency_key_reused: status.FAILED_PRECONDITION,
  targeting_key_missing: status.INVALID_ARGUMENT,
  invalid_context: status.INVALID_ARGUMENT,
  pinned_override: status.INVALID_ARGUMENT,
  invalid_request: status.INVALID_ARGUMENT,
  invalid_input: status.INVALID_ARGUMENT,
  body_too_large: status.RESOURCE_EXHAUSTED,
  body_timeout: status.DEADLINE_EXCEEDED,
  invalid_image: status.INVALID_ARGUMENT,
  image_too_large: status.INVALID_ARGUMENT,
  no_image_calls: status.INVALID_ARGUMENT,
  unsupported: status.UNIMPLEMENTED,
  control_is_local: status.PERMISSION_DENIED,
  cross_site: status.PERMISSION_DENIED,
  load_not_allowed: status.UNAVAILABLE,
  unknown_file: status.NOT_FOUND,
  unservable_file: status.INVALID_ARGUMENT,
  version_exists: status.ALREADY_EXISTS,
  load_failed: status.INTERNAL,
  version_in_use: status.FAILED_PRECONDITION,
  non_finite_output: status.INTERNAL,
  queue_full: status.UNAVAILABLE,
  queue_timeout: status.UNAVAILABLE,
  overloaded: status.UNAVAILABLE,
  deadline_unreachable: status.UNAVAILABLE,
  crash_suspect: status.UNAVAILABLE,
  state_unavailable: status.UNAVAILABLE,
  results_unavailable: status.UNAVAILABLE,
  control_unavailable: status.UNAVAILABLE,
  too_many_streams: status.RESOURCE_EXHAUSTED,
  timeout: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  inference_failed: status.INTERNAL,
  internal: status.INTERNAL,
};

/** An error as an error of the catalogue; what is the gateway's own fault is logged, and told to nobody. */
export function toGatewayError(error: unknown, log: Logger): GatewayError {
  if (error instanceof GatewayError) return error;
  log.error({ err: error }, 'request failed');
  return new GatewayError('internal', 'internal error; the log of the gateway has the details', {
    cause: error,
  });
}

/** How long a client that has a retry policy waits, in milliseconds (gRFC A6, "Pushback"). */
const PUSHBACK = 'grpc-retry-pushback-ms';

export function toStatus(error: GatewayError): StatusObject {
  const metadata = new Metadata();
  const headers = errorHeaders(error);
  setAll(metadata, headers);
  const seconds = headers['retry-after'];
  if (seconds !== undefined) metadata.set(PUSHBACK, String(1000 * Number(seconds)));
  return { code: GRPC_STATUS[error.code], details: error.message, metadata };
}

export function setAll(metadata: Metadata, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
}
