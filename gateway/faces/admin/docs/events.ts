import { Type } from 'typebox';
import type { OperationDocs } from '../../openapi/operation.ts';

export const EVENTS_DOCS: OperationDocs = {
  id: 'events',
  tag: 'Events',
  summary: 'What the console shows, as it changes',
  description:
    'Server-sent events: `hello` once; `experiments`, `models`, `audit` (the log’s length), and `results` of the experiment that is asked for, whenever they change; ' +
    '`fault` while the state store is away; `stopping`. Data is one line of JSON.',
  parameters: [
    { in: 'query', name: 'experiment', description: 'Whose results are told too.', schema: Type.String() },
  ],
  answers: {
    200: {
      description: 'A stream that goes on until somebody ends it.',
      content: { 'text/event-stream': { schema: Type.String() } },
    },
  },
  errors: ['too_many_streams'],
};
