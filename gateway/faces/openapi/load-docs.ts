import { Type } from 'typebox';
import { json } from './common-docs.ts';
import type { AnswerDocs, OperationDocs, Tag } from './operation.ts';

/** What a load may carry. */
const LoadRequest = Type.Object(
  {
    parameters: Type.Optional(
      Type.Object({
        config: Type.Optional(
          Type.String({ description: "A ModelConfig in JSON, in the place of the repository's." }),
        ),
      }),
    ),
  },
  { $id: 'LoadRequest' },
);

const UnloadRequest = Type.Object(
  {
    parameters: Type.Optional(
      Type.Object({
        unload_dependents: Type.Optional(
          Type.Boolean({
            description: 'The models too that were loaded only because this ensemble needs them.',
          }),
        ),
      }),
    ),
  },
  { $id: 'UnloadRequest' },
);

/** A model is loaded by the same request on both planes; what it is answered with differs. */
export function loadDocs(tag: Tag, loaded: AnswerDocs): OperationDocs {
  return {
    id: 'loadModel',
    tag,
    summary: 'Load a model',
    description: 'With `models.control: explicit`.',
    body: {
      description: "Left out: as the repository's files say.",
      required: false,
      content: json(LoadRequest, { plain: { summary: 'As its files say', value: {} } }),
    },
    answers: { 200: loaded },
    errors: [
      'invalid_request',
      'load_not_allowed',
      'load_failed',
      'unsupported',
      'control_is_local',
      'cross_site',
    ],
  };
}

/** The same of unloading. */
export function unloadDocs(tag: Tag, unloaded: AnswerDocs): OperationDocs {
  return {
    id: 'unloadModel',
    tag,
    summary: 'Unload a model once its requests are answered',
    description:
      'With `models.control: explicit`. Answered after 5 s at the latest: what still has requests then goes on being unloaded.',
    body: {
      description: 'Left out: the model alone.',
      required: false,
      content: json(UnloadRequest, { plain: { summary: 'The model alone', value: {} } }),
    },
    answers: { 200: unloaded },
    errors: ['invalid_request', 'load_not_allowed', 'load_failed', 'control_is_local', 'cross_site'],
  };
}
