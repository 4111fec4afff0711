import { expect, test } from 'vitest';
import { InvalidDocuments, formatProblem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment, KnownVersions } from '../../experiments/definition.ts';
import { diffExperiments } from '../../experiments/experiment-diff.ts';

/** An experiment whose second variant lives elsewhere; its upstream stands in line 7. */
const file = (upstream: string): string => `key: digits-cnn
model: digits
status: running
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v3, weight: 10, upstream: ${upstream} }
`;

const ONE_VERSION: KnownVersions = (model) => (model === 'digits' ? [1] : undefined);

const read = (text: string, versions = ONE_VERSION): Experiment =>
  readExperiment(parseYaml(text, 'a.yaml'), versions);

function refusalsOf(text: string): readonly string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidDocuments)) throw error;
    return error.problems.map(formatProblem);
  }
}

test('an upstream needs its address only: all times, tries and connections have finite defaults', () => {
  const [, v3] = read(file('{ url: "http://triton:8000/" }')).variants;
  expect(v3).toEqual({
    name: 'v3',
    weight: 10,
    upstream: {
      url: 'http://triton:8000',
      protocol: 'v2',
      model: 'digits',
      version: undefined,
      path: '/predict',
      tensors: 'binary',
      headers: {},
      timeouts: { connectMs: 1000, headersMs: 10_000, totalMs: 30_000 },
      connections: 128,
      retries: 1,
      breaker: { failures: 5, openForMs: 5000 },
      health: {
        path: '/v2/models/digits/ready',
        intervalMs: 5000,
        timeoutMs: 2000,
        unhealthyAfter: 2,
        healthyAfter: 1,
      },
    },
  });
});

test.each([
  ['v2, model: "a:b", version: 3', '/v2/models/a%3Ab/versions/3/ready'],
  ['torchserve', '/ping'],
  ['http', '/health'],
])('with protocol %s its health is asked for at %s', (protocol, path) => {
  const [, v3] = read(file(`{ url: "http://a", protocol: ${protocol} }`)).variants;
  expect(v3?.upstream?.health.path).toBe(path);
});

test.each([
  ['no address', '{ protocol: v2 }', '7:29: variants[1].upstream.url: is missing'],
  [
    'an address of another scheme',
    '{ url: "ftp://a" }',
    '7:46: variants[1].upstream.url: is "ftp://a"; expected an',
  ],
  [
    'no address at all',
    '{ url: triton }',
    '7:46: variants[1].upstream.url: is "triton"; expected an address',
  ],
  [
    'a password in the address',
    '{ url: "http://me:x@a" }',
    '7:46: variants[1].upstream.url: has a user or a pass',
  ],
  [
    'a query in the address',
    '{ url: "http://a/?b" }',
    '7:46: variants[1].upstream.url: has a query or a frag',
  ],
  ['an unknown key', '{ url: "http://a", retry: 1 }', '7:65: variants[1].upstream.retry: is an unknown key'],
  [
    'an unknown protocol',
    '{ url: "http://a", protocol: v3 }',
    '7:68: variants[1].upstream.protocol: is "v3"',
  ],
  ['a path for v2', '{ url: "http://a", path: /x }', '7:64: variants[1].upstream.path: goes with another'],
  [
    'a model for http',
    '{ url: "http://a", protocol: http, model: m }',
    '7:81: variants[1].upstream.model: goes',
  ],
  [
    'no time',
    '{ url: "http://a", timeouts: { total: 0s } }',
    '7:77: variants[1].upstream.timeouts.total: is 0s',
  ],
  [
    'endless time',
    '{ url: "http://a", timeouts: { total: 30h } }',
    '7:77: variants[1].upstream.timeouts.total: is 30h',
  ],
  [
    'a framing header',
    '{ url: "http://a", headers: { Expect: b } }',
    '7:77: variants[1].upstream.headers.Expect: is written',
  ],
  [
    'a host that is an address',
    '{ url: "http://a", headers: { Host: "http://b/" } }',
    '7:75: variants[1].upstream.headers.Host: is "http://b/"; expected a host as digits.models.example.com',
  ],
  [
    'many retries',
    '{ url: "http://a", retries: 9 }',
    '7:67: variants[1].upstream.retries: is 9; expected how often',
  ],
])('%s is refused at its line and column', (_, upstream, expected) => {
  expect(refusalsOf(file(upstream))).toEqual([expect.stringContaining(`a.yaml:${expected}`)]);
});

test('a variant lives here or there: neither and both are refused', () => {
  expect(refusalsOf(file('{ url: "http://a" }, version: 1'))).toEqual([
    expect.stringContaining('7:29: variants[1].upstream: stands beside version'),
  ]);
  expect(refusalsOf(file('{ url: "http://a" }').replace(/, upstream.*}$/m, ' }'))).toEqual([
    expect.stringContaining(
      '7:5: variants[1]: says neither version nor upstream; expected version: 2, or upstream',
    ),
  ]);
});

test('a model needs no folder in the repository where all its variants live elsewhere', () => {
  const elsewhere = file('{ url: "http://a" }').replace('version: 1', 'upstream: { url: "http://b" }');
  expect(read(elsewhere, () => undefined).variants).toHaveLength(2);
  expect(refusalsOf(file('{ url: "http://a" }').replace('model: digits', 'model: letters'))).toEqual([
    expect.stringContaining('the model repository has no model of that name'),
  ]);
});

test.each([
  ['another address', '{ url: "http://b" }', 'new_phase'],
  ['another model', '{ url: "http://a", model: letters }', 'new_phase'],
  ['another version', '{ url: "http://a", version: 2 }', 'new_phase'],
  ['another protocol', '{ url: "http://a", protocol: torchserve }', 'new_phase'],
  ['other times', '{ url: "http://a", timeouts: { total: 5s } }', 'safe'],
  ['more tries', '{ url: "http://a", retries: 2 }', 'safe'],
  ['another check', '{ url: "http://a", health: { path: /ok } }', 'safe'],
  ['the default, written out', '{ url: "http://a/", protocol: v2, model: digits }', undefined],
])('of a running experiment %s is classed', (_, after, expected) => {
  const changes = diffExperiments(read(file('{ url: "http://a" }')), read(file(after)), 0);
  expect(changes.map((change) => change.class)).toEqual(expected === undefined ? [] : [expected]);
});

test('a version that moves to another server begins a new phase, and says from what to what', () => {
  const there = read(file('{ url: "http://a", model: cnn, version: 7 }'));
  const here = read(file('{ url: "http://a" }').replace(/upstream: .* }$/m, 'version: 1 }'));
  const [change] = diffExperiments(here, there, 0);
  expect(change).toMatchObject({ class: 'new_phase', path: ['variants'] });
  expect(change?.why).toContain('v3 would be cnn version 7 on http://a under the results of version 1');
});
