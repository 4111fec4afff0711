import { describe, expect, test } from 'vitest';
import { isAllowed, readAllowedUrls } from '../../../gateway/config/allowed-urls.ts';

function read(...prefixes: readonly string[]) {
  const problems: string[] = [];
  const allowed = readAllowedUrls(prefixes, (path, message) =>
    problems.push(`${path.join('.')}: ${message}`),
  );
  return { allowed, problems };
}

test('the beginning of an address is taken up to a slash, and anything else refused with its place', () => {
  expect(read('https://models.example/torch/', 'http://127.0.0.1:9000').allowed).toEqual([
    'https://models.example/torch/',
    'http://127.0.0.1:9000/',
  ]);
  const wrong = [
    'models',
    'file:///srv/',
    'https://a:b@c.example/',
    'https://c.example/?a=b',
    'https://c.example/torch',
  ];
  const { allowed, problems } = read(...wrong);
  expect(allowed).toEqual([]);
  expect(problems.map((problem) => problem.replace(/;.*/, ''))).toEqual([
    'models.allowedUrls.0: is no address',
    'models.allowedUrls.1: is neither http nor https',
    'models.allowedUrls.2: has a user or a password in it',
    'models.allowedUrls.3: has a query or a fragment',
    'models.allowedUrls.4: ends inside a name',
  ]);
});

describe('of an address that is allowed', () => {
  const { allowed } = read('https://models.example/torch/');

  test.each([
    'https://models.example/torch/a.mar',
    'https://MODELS.example:443/torch/deep/../a.mar?signature=x',
    'https://models.example/other/../torch/a.mar',
  ])('%s is one', (url) => {
    expect(isAllowed(new URL(url), allowed)).toBe(true);
  });

  test.each([
    'http://models.example/torch/a.mar',
    'https://models.example:8443/torch/a.mar',
    'https://models.example.evil.example/torch/a.mar',
    'https://evil.example/https://models.example/torch/a.mar',
    'https://models.example@evil.example/torch/a.mar',
    'https://ada@models.example/torch/a.mar',
    'https://models.example/torch/../secret/a.mar',
    'https://models.example/torch/%2e%2e/secret/a.mar',
    'https://models.example/torch/..%2fsecret/a.mar',
    'https://models.example/torch/..%5Csecret/a.mar',
    'https://models.example/torch\\..\\secret/a.mar',
    'https://models.example/torch-and-more/a.mar',
  ])('%s is none', (url) => {
    expect(isAllowed(new URL(url), allowed)).toBe(false);
  });
});
