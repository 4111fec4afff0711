import { expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { keptDefinition, withHeadersOf } from '../../../experiments/standing/kept-definition.ts';

const text = (token: string): string => `\
key: a
model: m
control: v1
variants:
  - { name: v1, version: 1, weight: 1 }
  - name: away
    weight: 1
    upstream: { url: 'http://server:9000', headers: { authorization: '${token}' }, retries: 0 }
rollout: { preset: canary, analysis: { webhooks: [{ name: w, url: 'https://ada:pass@hook/x' }] } }
`;

const dataOf = (yaml: string): unknown => parseYaml(yaml, 'a.yaml').data;

test('a file without secrets is kept as it is', () => {
  const plain = 'key: a # a comment\nvariants: [{ name: v1, upstream: { url: "http://x" } }]\n';
  expect(keptDefinition(plain, dataOf(plain))).toBe(plain);
});

test('neither headers for a variant’s server nor passwords in addresses are kept, and another token is no other definition', () => {
  const kept = keptDefinition(text('token-1'), dataOf(text('token-1')));
  expect(kept).not.toMatch(/token-1|pass/);
  expect(kept).toContain('https://hook/x');
  expect(keptDefinition(text('token-2'), dataOf(text('token-2')))).toBe(kept);
});

test('what was kept is called with the headers that the file has today; a variant that it hasn’t any more without', () => {
  const kept = dataOf(keptDefinition(text('token-1'), dataOf(text('token-1'))));
  expect(withHeadersOf(kept, dataOf(text('token-2')))).toMatchObject({
    variants: [
      { name: 'v1' },
      {
        name: 'away',
        upstream: { url: 'http://server:9000', headers: { authorization: 'token-2' }, retries: 0 },
      },
    ],
  });
  const gone = withHeadersOf(kept, { variants: [] });
  expect(JSON.stringify(gone)).not.toContain('authorization');
});
