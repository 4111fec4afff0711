import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { publishedDocuments } from '../../schemas/openapi/published.ts';
import { SchemaChecker, committed, operationsOf } from './documents.ts';
import type { DocumentName } from './documents.ts';

test('docs/openapi is what the routes say; `npm run schemas` writes it', async () => {
  for (const { file, document } of await publishedDocuments()) {
    expect(await committed(file.replace('.json', '') as DocumentName), file).toEqual(document);
  }
});

describe.each(['data', 'admin'] as const)('the document of the %s plane', (name) => {
  test('is valid OpenAPI 3.1', async () => {
    const document = await committed(name);
    expect(document.openapi).toBe('3.1.0');
    expect(await new Validator().validate(structuredClone({ ...document }))).toEqual({ valid: true });
  });

  test('names each operation once, and says of each what it is for and what it can answer', async () => {
    const operations = operationsOf(await committed(name)).map(({ operation }) => operation);
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
    for (const { operationId, summary, responses, security } of operations) {
      expect(summary, operationId).not.toBe('');
      expect(
        Object.keys(responses).some((status) => status.startsWith('2')),
        operationId,
      ).toBe(true);
      // Whoever asks for a key says so when there is none.
      expect('401' in responses, operationId).toBe(security.length > 0);
    }
  });

  test('has examples that fit their schemas', async () => {
    const document = await committed(name);
    const checker = new SchemaChecker(document);
    let checked = 0;
    for (const { operation } of operationsOf(document)) {
      const bodies = [operation.requestBody, ...Object.values(operation.responses)];
      for (const { schema, examples = {} } of bodies.flatMap((body) => Object.values(body?.content ?? {}))) {
        for (const [example, { value }] of Object.entries(examples)) {
          expect(checker.problems(schema, value), `${operation.operationId}: ${example}`).toEqual([]);
          checked += 1;
        }
      }
      for (const { schema, example, name: parameter } of operation.parameters) {
        if (example === undefined) continue;
        expect(checker.problems(schema, example), `${operation.operationId}: ${parameter}`).toEqual([]);
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThan(20);
  });

  test('would show an answer that has a field too many', async () => {
    const checker = new SchemaChecker(await committed(name));
    const schema = { $ref: '#/components/schemas/Error' };
    expect(checker.problems(schema, { error: 'no' })).toEqual([]);
    expect(checker.problems(schema, { error: 'no', stack: 'at …' })).toHaveLength(1);
  });
});
