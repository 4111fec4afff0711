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
  unknown_model: { status: 404, meaning: 'No model of that name is served, or it has no such version.' },
  unknown_path: { status: 404, meaning: 'There is nothing at that path, or not for that method.' },
  invalid_version: { status: 400, meaning: 'The version in the path is not a whole number above 0.' },
  model_unavailable: { status: 503, meaning: 'The model or version is known, but is not ready to answer.' },
  variant_unavailable: {
    status: 503,
    meaning: "The caller's variant is not ready, and the experiment has nobody answer in its place.",
  },
  no_experiment: { status: 400, meaning: '`X-Experiment` was sent, but the model has no experiment.' },
  unknown_experiment: { status: 400, meaning: '`X-Experiment` names an experiment that is not served.' },
  unknown_variant: { status: 400, meaning: '`X-Experiment` names a variant that the experiment has not.' },
  ambiguous_override: { status: 400, meaning: '`X-Experiment` forces two variants of one experiment.' },
  unknown_flag: { status: 404, meaning: 'OpenFeature asks for an experiment that is not served.' },
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
    meaning: 'The body is larger than `server.bodyLimit`. On `/v2` the status is 400, as with Triton.',
  },
  invalid_image: { status: 400, meaning: 'The upload is empty, damaged, or not an image that is read.' },
  image_too_large: { status: 413, meaning: 'The image has more pixels than `limits.imagePixels`.' },
  no_image_calls: { status: 400, meaning: "The model's configuration says nothing of images." },
  unsupported: { status: 501, meaning: 'The request asks for a part of the protocol that is not served.' },
  non_finite_output: {
    status: 422,
    meaning: "The model's output has NaN or infinities, which JSON can't carry: ask for binary output.",
  },
  queue_full: { status: 503, meaning: 'As many requests wait for the version as may. Try again later.' },
  state_unavailable: {
    status: 503,
    meaning:
      'The state store is away and the outcomes can be kept nowhere else. Send them again as they are.',
  },
  timeout: { status: 504, meaning: 'The answer took longer than `timeouts.inference`.' },
  cancelled: { status: 499, meaning: 'The caller hung up before the answer was there.' },
  inference_failed: { status: 500, meaning: 'The model failed on this input.' },
  internal: { status: 500, meaning: 'A fault in the gateway; its log has the details.' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** An answer that is an error. The message goes to the caller: it names what was wrong and what would be right. */
export class GatewayError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GatewayError';
    this.code = code;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** The catalogue's code for what a backend, or routing, reports. */
export const CODE_OF_FAULT: Readonly<Record<BackendFault | OverrideFault, ErrorCode>> = {
  invalid_input: 'invalid_input',
  queue_full: 'queue_full',
  expired_in_queue: 'timeout',
  expired_in_run: 'timeout',
  cancelled: 'cancelled',
  unavailable: 'model_unavailable',
  run_failed: 'inference_failed',
  no_experiment: 'no_experiment',
  unknown_experiment: 'unknown_experiment',
  unknown_variant: 'unknown_variant',
  ambiguous_override: 'ambiguous_override',
};
