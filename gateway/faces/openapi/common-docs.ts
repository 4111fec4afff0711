import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import type { ContentDocs, HeaderDocs, ParameterDocs } from './operation.ts';

/** An error as every face but TorchServe's and OpenFeature's writes it. */
export const ErrorSchema = Type.Object(
  { error: Type.String({ description: 'What was wrong, and what would be right.' }) },
  { $id: 'Error' },
);

/** JSON of that form. */
export function json(
  schema: TSchema,
  examples?: NonNullable<ContentDocs['examples']>,
): Readonly<Record<'application/json', ContentDocs>> {
  return { 'application/json': examples === undefined ? { schema } : { schema, examples } };
}

/** Bytes of any kind. */
export const Bytes = Type.String({ format: 'binary' });

/** What a caller may say of itself with an inference call. */
export const ROUTING_PARAMETERS: readonly ParameterDocs[] = [
  {
    in: 'header',
    name: 'X-Experiment',
    description:
      'Forces a variant, as `v2` or `digits-cnn=v2`, several separated by `;`. With keys it needs the scope `override`. Not with a version in the path.',
    schema: Type.String(),
  },
  {
    in: 'header',
    name: 'X-User-Id',
    description:
      "The unit: who asks. Which header names it is the experiment's `hashAttribute`; without it a call is a unit of its own.",
    schema: Type.String(),
    example: 'ada',
  },
];

const text = Type.String();

/** What every inference answer says, whichever variant gave it. */
export const ROUTED_HEADERS: Readonly<Record<string, HeaderDocs>> = {
  'X-Experiment': {
    description:
      'The experiment and the variant that answered; left out where no experiment routed the call.',
    schema: text,
    example: 'digits-cnn=v2',
  },
  'X-Experiment-Reason': {
    description: 'Why that variant. `split` and `sticky` count in the results.',
    schema: Type.Enum(['split', 'sticky', 'override', 'targeting', 'default', 'holdout', 'fallback']),
    example: 'split',
  },
  'X-Prediction-Id': {
    description: 'Signed; send it back with what came of the prediction (`POST /v1/outcomes`).',
    schema: text,
  },
  'Server-Timing': {
    description: '`route`, `queue`, `compute` and `total`, in milliseconds.',
    schema: text,
    example: 'route;dur=0.041, queue;dur=0.257, compute;dur=0.221, total;dur=1.323',
  },
  'X-Cache': {
    description: "Where the model's cache is on.",
    schema: Type.Enum(['hit', 'miss']),
  },
};

/** What an inference call can be refused with on every face. */
export const ROUTED_ERRORS = [
  'no_experiment',
  'unknown_experiment',
  'unknown_variant',
  'ambiguous_override',
  'unknown_model',
  'non_finite_output',
  'model_unavailable',
  'variant_unavailable',
  'bad_upstream_answer',
  'queue_full',
  'queue_timeout',
  'deadline_unreachable',
  'overloaded',
  'crash_suspect',
  'timeout',
  'inference_failed',
] as const;
