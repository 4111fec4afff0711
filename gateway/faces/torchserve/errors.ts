import type { FastifyInstance } from 'fastify';
import type { ErrorCode, GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { answerErrors } from '../error-answers.ts';

/** An error as TorchServe's paths answer it. */
export interface TorchserveError {
  /** The HTTP status, once more. */
  readonly code: number;
  /** The name of TorchServe's exception for it. */
  readonly type: string;
  readonly message: string;
}

/** Errors of a part of an application as TorchServe writes them, under the statuses of the catalogue. */
export function answerTorchserveErrors(app: FastifyInstance, { log, repository }: Gateway): void {
  answerErrors(app, log, (error, { params }): TorchserveError => {
    const { model = '' } = params as { readonly model?: string };
    const isVersion = error.code === 'unknown_model' && repository.model(model) !== undefined;
    return isVersion
      ? { ...torchserveError(error), type: 'ModelVersionNotFoundException' }
      : torchserveError(error);
  });
}

/** An error that concerns no model's version. */
export function torchserveError(error: GatewayError): TorchserveError {
  return { code: error.status, type: typeOf(error), message: error.message };
}

const TYPES: Partial<Record<ErrorCode, string>> = {
  unknown_model: 'ModelNotFoundException',
  unknown_file: 'ModelNotFoundException',
  unknown_path: 'ResourceNotFoundException',
  method_not_allowed: 'MethodNotAllowedException',
  unauthorized: 'InvalidKeyException',
  forbidden: 'InvalidKeyException',
  timeout: 'RequestTimeoutException',
};

function typeOf({ code, status }: GatewayError): string {
  const known = TYPES[code];
  if (known !== undefined) return known;
  if (status === 409) return 'ConflictStatusException';
  if (status === 429 || status === 503) return 'ServiceUnavailableException';
  return status < 500 ? 'BadRequestException' : 'InternalServerException';
}
