import type { UpstreamDefinition } from '../../../experiments/upstream-definition.ts';
import type { UpstreamAnswer } from '../../upstream/exchange.ts';
import { UpstreamFailure } from '../../upstream/upstream-failure.ts';
import { isObject } from '../../json-values.ts';

/** A class that an image shows, as `POST /predict` answers it. */
export interface PredictedClass {
  /** Null where the model's labels here don't have that name. */
  readonly class_id: number | null;
  readonly label: string;
  readonly confidence: number;
}

/** Where TorchServe takes what a model is to predict. */
export function torchserveModelPath({
  model,
  version,
}: Pick<UpstreamDefinition, 'model' | 'version'>): string {
  return `/predictions/${encodeURIComponent(model)}${version === undefined ? '' : `/${version}`}`;
}

/**
 * Reads what TorchServe's image classifiers answer: a map from labels to probabilities.
 *
 * @param labels one label a class, in the classes' order
 * @returns best first
 * @throws UpstreamFailure `garbage` for another answer, `rejected` with the server's own words
 */
export function readTorchserveClasses(
  { status, body }: UpstreamAnswer,
  labels: readonly string[],
): readonly PredictedClass[] {
  const answer = body instanceof Uint8Array ? parsed(body) : undefined;
  if (status >= 400) {
    const message =
      isObject(answer) && typeof answer.message === 'string' ? answer.message.slice(0, 1000) : '';
    throw new UpstreamFailure(
      'rejected',
      message === '' ? `the variant's server refused the request with status ${status}` : message,
      { status },
    );
  }
  const scores = isObject(answer) ? Object.entries(answer) : [];
  const classes = scores.flatMap(([label, confidence]) => {
    if (typeof confidence !== 'number') return [];
    const index = labels.indexOf(label);
    return [{ class_id: index < 0 ? null : index, label, confidence }];
  });
  if (classes.length === 0 || classes.length < scores.length) {
    throw new UpstreamFailure(
      'garbage',
      "the variant's server answers with what is not a map from labels to scores",
    );
  }
  return classes.sort((a, b) => b.confidence - a.confidence);
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
