import { Type } from 'typebox';
import { json } from './common-docs.ts';
import type { OperationDocs } from './operation.ts';

export const API_DESCRIPTION_DOCS: OperationDocs = {
  id: 'apiDescription',
  tag: 'TorchServe',
  summary: 'This description',
  description: 'As `GET /docs/` shows it.',
  answers: {
    200: {
      description: 'An OpenAPI document.',
      content: json(
        Type.Object(
          { openapi: Type.String(), info: Type.Object({}, { additionalProperties: true }) },
          { additionalProperties: true },
        ),
      ),
    },
  },
};
