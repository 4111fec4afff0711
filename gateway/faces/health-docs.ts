import { Type } from 'typebox';
import { json } from './openapi/common-docs.ts';
import type { OperationDocs } from './openapi/operation.ts';

const Health = Type.Object(
  {
    status: Type.Enum(['healthy', 'unhealthy']),
    model: Type.Union([Type.String(), Type.Null()], {
      description: 'The model of calls that name none; null: there is no such.',
    }),
  },
  { $id: 'Health' },
);

export const HEALTH_DOCS: OperationDocs = {
  id: 'health',
  tag: 'Health',
  summary: 'Whether traffic should be sent here',
  answers: {
    200: {
      description: 'It should.',
      content: json(Health, {
        demo: { summary: 'The demo', value: { status: 'healthy', model: 'digits' } },
      }),
    },
    503: { description: 'It starts, or it stops.', content: json(Health) },
  },
};
