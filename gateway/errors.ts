import type { BackendFault } from '../backends/errors.ts';
import type { OverrideFault } from '../experiments/override.ts';

interface CatalogueEntry {
  /** The HTTP status. */
  readonly status: number;
  /** What happened and what the caller can do; `docs/errors.md` says the same. */
  readonly meaning: string;
}

/** Every error that the gateway answers with. `docs/errors.md` is held equal to it by a test. */
export const ERRORS = {
  unauthorized: { status: 401, meaning: 'The call has no key, or one that is unknown or has expired.' },
  issuer_unavailable: {
    status: 503,
    meaning: "The keys that tokens are checked with can't be had from their issuer.",
  },
  forbidden: {
    status: 403,
    meaning: 'The key lacks the scope or the model; without keys, control from another machine.',
  },
  rate_limited: {
    status: 429,
    meaning:
      'More is sent than the rate of the caller, the model or the experiment; `Retry-After` says when it would pass.',
  },
  quota_exceeded: {
    status: 429,
    meaning: "The caller's quota of the day is used up; `Retry-After` says when the next day begins (UTC).",
  },
  concurrency_limited: {
    status: 429,
    meaning: 'The caller has as many requests under way as it may.',
  },
  no_keys: { status: 409, meaning: '`auth.keys` is not configured: there are no keys to show or change.' },
  unknown_key: { status: 404, meaning: 'There is no key of that id.' },
  keys_unavailable: {
    status: 503,
    meaning: "The keys can't be changed: their file can't be written, or the state store is away.",
  },
  unknown_model: { status: 404, meaning: 'No model of that name is served, or it has no such version.' },
  unknown_path: { status: 404, meaning: 'There is nothing at that path.' },
  method_not_allowed: {
    status: 405,
    meaning: 'The path does not take that method; `Allow` says which ones it takes.',
  },
  expectation_failed: {
    status: 417,
    meaning: '`Expect` asks for something else than `100-continue`, which alone can be met.',
  },
  invalid_version: { status: 400, meaning: 'The version in the path is not a whole number above 0.' },
  model_unavailable: { status: 503, meaning: 'The model or version is known, but is not ready to answer.' },
  variant_unavailable: {
    status: 503,
    meaning: "The caller's variant can't answer, and the experiment has nobody answer in its place.",
  },
  bad_upstream_answer: {
    status: 502,
    meaning: "The server of the caller's variant answers with what is not its protocol, or with too much.",
  },
  no_experiment: { status: 400, meaning: '`X-Experiment` was sent, but the model has no experiment.' },
  unknown_experiment: { status: 400, meaning: '`X-Experiment` names an experiment that is not served.' },
  unknown_variant: { status: 400, meaning: '`X-Experiment` names a variant that the experiment has not.' },
  ambiguous_override: { status: 400, meaning: '`X-Experiment` forces two variants of one experiment.' },
  unknown_flag: { status: 404, meaning: 'OpenFeature asks for an experiment that is not served.' },
  experiment_not_found: { status: 404, meaning: 'No experiment of that key is served; drafts are not.' },
  variant_not_found: {
    status: 400,
    meaning: 'A command names a variant that the experiment has not, or none where it could be several.',
  },
  variant_not_ready: {
    status: 409,
    meaning: 'A command would give units to a variant whose version is not ready here.',
  },
  command_refused: {
    status: 409,
    meaning: "The experiment can't do that as it stands; the message says what would be right.",
  },
  files_differ: {
    status: 409,
    meaning: "The replica's file of the experiment is not the one that another replica has taken up since.",
  },
  idempotency_key_reused: {
    status: 422,
    meaning: 'The `Idempotency-Key` was taken for another request; send this one under a key of its own.',
  },
  targeting_key_missing: {
    status: 400,
    meaning: 'OpenFeature sent a context without `targetingKey`, which names the unit.',
  },
  invalid_context: {
    status: 400,
    meaning: "OpenFeature's evaluation context is missing, or not of its form.",
  },
  pinned_override: {
    status: 400,
    meaning: '`X-Experiment` was sent on a call that names a version: the two contradict each other.',
  },
  invalid_request: {
    status: 400,
    meaning: "The request's body or headers are not what the path takes; the message names the place.",
  },
  invalid_input: {
    status: 400,
    meaning: "A tensor's name, type, shape or number of rows doesn't fit the model.",
  },
  body_too_large: {
    status: 413,
    meaning:
      'The body is larger than `server.bodyLimit`, or than its path takes. On `/v2` the status is 400, as with Triton.',
  },
  body_timeout: {
    status: 408,
    meaning: 'The request did not come whole within `timeouts.headers` and `timeouts.body`.',
  },
  invalid_image: { status: 400, meaning: 'The upload is empty, damaged, or not an image that is read.' },
  image_too_large: { status: 413, meaning: 'The image has more pixels than `limits.imagePixels`.' },
  no_image_calls: { status: 400, meaning: "The model's configuration says nothing of images." },
  unsupported: { status: 501, meaning: 'The request asks for a part of the protocol that is not served.' },
  control_is_local: {
    status: 403,
    meaning: 'Without keys, what changes the gateway answers on loopback only.',
  },
  cross_site: {
    status: 403,
    meaning: 'A web page of another site had a browser send what changes the gateway.',
  },
  load_not_allowed: {
    status: 503,
    meaning: "`models.control` doesn't leave loading and unloading to calls.",
  },
  unknown_file: {
    status: 404,
    meaning: "There is no such file in the model repository's folders.",
  },
  unservable_file: {
    status: 400,
    meaning:
      'The file to register is damaged, too large, or holds no ONNX model; the message says what to do.',
  },
  version_exists: { status: 409, meaning: 'The model has that version already.' },
  load_failed: {
    status: 500,
    meaning: 'The model could not be loaded, or is not loaded; the message says why.',
  },
  version_in_use: {
    status: 409,
    meaning: 'A load or unload would take the version away that a rollout goes back to.',
  },
  non_finite_output: {
    status: 422,
    meaning: "The model's output has NaN or infinities, which JSON can't carry: ask for binary output.",
  },
  overloaded: {
    status: 503,
    meaning:
      'There is too much to do: the wait would be too long, the event loop is late, or memory is short. The message says which.',
  },
  queue_full: { status: 503, meaning: 'As many requests wait for the version as may. Try again later.' },
  queue_timeout: {
    status: 503,
    meaning: "The request waited for as long as the model's queue policy lets it. Try again later.",
  },
  deadline_unreachable: {
    status: 503,
    meaning: 'Too much waits before the request for an answer within the latency target or its own deadline.',
  },
  timeout: {
    status: 504,
    meaning: 'The answer took longer than `timeouts.inference`, or the run than `timeouts.run`.',
  },
  crash_suspect: {
    status: 503,
    meaning: 'The same request ran at two crashes of the server; it is refused for ten minutes.',
  },
  state_unavailable: {
    status: 503,
    meaning:
      'The state store is away and the outcomes can be kept nowhere else. Send them again as they are.',
  },
  results_unavailable: {
    status: 503,
    meaning: 'The state store, which results are read from, is away. Ask again later.',
  },
  control_unavailable: {
    status: 503,
    meaning:
      'The state store is away: nothing can be changed, and the weights in force stay. Ask again later.',
  },
  too_many_streams: {
    status: 503,
    meaning: 'As many streams of events are open as the control plane keeps. Close one.',
  },
  cancelled: { status: 499, meaning: 'The caller hung up before the answer was there.' },
  inference_failed: { status: 500, meaning: 'The model failed on this input.' },
  internal: { status: 500, meaning: 'A fault in the gateway; its log has the details.' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * An answer that is an error. The message goes to the caller: it names what was wrong and what would be right. Only what may be a fault of the
 * gateway's own has a stack: to take one costs more than all else that a refusal takes, and refusals come in thousands.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  /** What the answer says beside the message, by lower-case header names. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> },
  ) {
    const { stackTraceLimit } = Error;
    if (isRefusal(code)) Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'GatewayError';
    this.code = code;
    this.headers = options?.headers ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /** The same error, whose answer says more. */
  saying(headers: Readonly<Record<string, string>>): GatewayError {
    return new GatewayError(this.code, this.message, {
      cause: this.cause,
      headers: { ...this.headers, ...headers },
    });
  }
}

function isRefusal(code: ErrorCode): boolean {
  const { status } = ERRORS[code];
  return status < 500 || status === 503;
}

/** The catalogue's code for what a backend, or routing, reports. */
export const CODE_OF_FAULT: Readonly<Record<BackendFault | OverrideFault, ErrorCode>> = {
  invalid_input: 'invalid_input',
  queue_full: 'queue_full',
  threads_busy: 'queue_full',
  queue_timeout: 'queue_timeout',
  deadline_unreachable: 'deadline_unreachable',
  expired_in_queue: 'timeout',
  expired_in_run: 'timeout',
  cancelled: 'cancelled',
  unavailable: 'model_unavailable',
  crash_suspect: 'crash_suspect',
  run_failed: 'inference_failed',
  no_experiment: 'no_experiment',
  unknown_experiment: 'unknown_experiment',
  unknown_variant: 'unknown_variant',
  ambiguous_override: 'ambiguous_override',
};
