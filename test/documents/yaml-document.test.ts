import { expect, test } from 'vitest';
import { formatProblem } from '../../documents/problem.ts';
import { formatPath, parseYaml } from '../../documents/yaml-document.ts';
import type { Path } from '../../documents/yaml-document.ts';
import { refusals } from './refusals.ts';

const refusalsOf = (text: string) => refusals(() => parseYaml(text, 'a.yaml'));

function placeOf(text: string, path: Path): string {
  return formatProblem(parseYaml(text, 'a.yaml').problemAt(path, 'here'));
}

test('a document is read as plain data', () => {
  const { file, data } = parseYaml('a: 1\nb: [x, true, null, 1.5]\nc: { d: "1" }\n', 'a.yaml');
  expect(file).toBe('a.yaml');
  expect(data).toEqual({ a: 1, b: ['x', true, null, 1.5], c: { d: '1' } });
});

test('an empty document is read as null', () => {
  expect(parseYaml('', 'a.yaml').data).toBeNull();
  expect(parseYaml('# only a comment\n', 'a.yaml').data).toBeNull();
});

test('words that were booleans in YAML 1.1 are texts', () => {
  expect(parseYaml('[yes, no, on, off]', 'a.yaml').data).toEqual(['yes', 'no', 'on', 'off']);
});

test('a byte order mark and Windows line ends change neither the data nor the places', () => {
  const text = '\ufeffa: 1\r\nb: 2\r\n';
  expect(parseYaml(text, 'a.yaml').data).toEqual({ a: 1, b: 2 });
  expect(placeOf(text, ['b'])).toBe('a.yaml:2:4: b: here');
});

test.each([
  ['an unclosed list', 'a: [1, 2\n', 'a.yaml:2:1'],
  ['a stray bracket', 'a: 1\nb: ]\n', 'a.yaml:2:4'],
  ['a tab for indentation', 'a:\n\tb: 1\n', 'a.yaml:2:1'],
  ['a key that stands twice', 'a: 1\nb: 2\na: 3\n', 'a.yaml:3:1'],
  ['a key that stands twice further down', 'a:\n  - { b: 1, b: 2 }\n', 'a.yaml:2:13'],
  ['a second document', 'a: 1\n---\nb: 2\n', 'a.yaml:2:1'],
  ['a tag that means nothing here', 'a: !secret b\n', 'a.yaml:1:4'],
])('%s is refused at its line and column', async (_, text, place) => {
  const [first = ''] = await refusalsOf(text);
  expect(first).toMatch(new RegExp(`^${place}: [A-Za-z]`));
  expect(first).not.toMatch(/at line/);
});

test('every syntax error is told, not the first only', async () => {
  const places = (await refusalsOf('a: [1\nb: }\n')).map((line) => line.split(': ')[0]);
  expect(places).toEqual(['a.yaml:2:1', 'a.yaml:2:4']);
});

test('a file that refers to itself a billion times is refused at once', async () => {
  const ninefold = (name: string) => `[${Array<string>(9).fill(name).join(', ')}]`;
  const bomb = Array.from({ length: 12 }, (_, level) =>
    level === 0 ? `a0: &a0 ${ninefold('x')}` : `a${level}: &a${level} ${ninefold(`*a${level - 1}`)}`,
  );
  // The processor's time: a busy machine doesn't lengthen it.
  const before = process.cpuUsage();
  expect(await refusalsOf(bomb.join('\n'))).toEqual([
    'a.yaml: Excessive alias count indicates a resource exhaustion attack (at most 100 are resolved)',
  ]);
  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
});

test('a few aliases, as people write them, are resolved', () => {
  const { data } = parseYaml('a: &one { x: 1 }\nb: *one\nc: *one\n', 'a.yaml');
  expect(data).toEqual({ a: { x: 1 }, b: { x: 1 }, c: { x: 1 } });
});

test('a merge key is told by name, and no key that it would have brought is missed', async () => {
  expect(await refusalsOf('- &one { x: 1, y: 2 }\n- { <<: *one, y: 3 }\n')).toEqual([
    'a.yaml:2:5: <<: *one is a merge key, which YAML 1.2 has not; write its keys out',
  ]);
  expect(parseYaml('{ "<<": 1 }', 'a.yaml').data).toEqual({ '<<': 1 });
});

test('an alias without its anchor is refused at its line and column', async () => {
  const [first = ''] = await refusalsOf('a: 1\nb: *nowhere\n');
  expect(first).toContain('nowhere');
  expect(first).toMatch(/^a\.yaml:2:4: /);
});

test('lists nested without end are refused, and do not end the process', async () => {
  const [first = ''] = await refusalsOf('['.repeat(100_000));
  expect(first).toMatch(/^a\.yaml:1:/);
});

test('a key named __proto__ or constructor is a key like any other', () => {
  const { data } = parseYaml('__proto__: { polluted: true }\nconstructor: 1\n', 'a.yaml');
  expect(Object.keys(data as object)).toEqual(['__proto__', 'constructor']);
  expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

const TEXT = `\
a: 1
list:
  - name: x
  - name: y
    deep: { er: true }
empty:
"quoted": 2
3: three
`;

test.each<[string, Path, string]>([
  ["a value's own place", ['a'], '1:4: a'],
  ['an item of a list', ['list', 1], '4:5: list[1]'],
  ['a value in an item', ['list', 1, 'name'], '4:11: list[1].name'],
  ['a value in a map on one line', ['list', 1, 'deep', 'er'], '5:17: list[1].deep.er'],
  ['the key, where the value is a list', ['list'], '2:1: list'],
  ['the key, where the value is empty', ['empty'], '6:1: empty'],
  ['a quoted key', ['quoted'], '7:11: quoted'],
  ['a key that is a number', ['3'], '8:4: 3'],
  ['the map, where the key is missing', ['list', 1, 'nope'], '4:5: list[1].nope'],
  ['the list, where the item is missing', ['list', 7], '2:1: list[7]'],
  ['the document, where nothing of the path is there', ['nope', 'at', 'all'], '1:1: nope.at.all'],
])('a problem stands at %s', (_, path, expected) => {
  expect(placeOf(TEXT, path)).toBe(`a.yaml:${expected}: here`);
});

test('a problem inside an alias stands where the anchor is', () => {
  expect(placeOf('a: &one\n  x: 1\nb: *one\n', ['b', 'x'])).toBe('a.yaml:2:6: b.x: here');
});

test('a path is written as one would in code', () => {
  expect(formatPath(['variants', 1, 'weight'])).toBe('variants[1].weight');
  expect(formatPath([0, 'a'])).toBe('[0].a');
  expect(formatPath([])).toBe('');
});
