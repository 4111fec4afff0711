import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { formatProblem } from '../../../documents/problem.ts';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { interpolate } from '../../../gateway/config/interpolate.ts';
import type { Environment } from '../../../gateway/config/interpolate.ts';

const read = (text: string, environment: Environment = {}, schema: TSchema = Type.Unknown()): unknown =>
  interpolate(parseYaml(text, 'a.yaml'), environment, schema).document.data;

/** What is told of names that are not set. */
const unset = (text: string): readonly string[] =>
  interpolate(parseYaml(text, 'a.yaml'), {}, Type.Unknown()).unset.map(formatProblem);

test('what stands for all of a number or a boolean becomes one, and nothing else does', () => {
  const schema = Type.Object({
    share: Type.Number(),
    on: Type.Boolean(),
    list: Type.Array(Type.Integer()),
    text: Type.String(),
    joined: Type.String(),
  });
  const text = 'share: ${X:-0.1}\non: ${ON}\nlist: ["${N}", "7"]\ntext: ${N}\njoined: 1${N}\n';
  expect(read(text, { ON: 'true', N: '42' }, schema)).toEqual({
    share: 0.1,
    on: true,
    list: [42, '7'],
    text: '42',
    joined: '142',
  });
});

test('a text that is no number stays one, for the schema to refuse', () => {
  expect(read('share: ${X}', { X: 'half' }, Type.Object({ share: Type.Number() }))).toEqual({
    share: 'half',
  });
});

test('a name is replaced by what the environment has for it, wherever it stands in a text', () => {
  expect(read('- ${HOST}\n- ${HOST}:${PORT}\n- "http://${HOST}/"\n', { HOST: 'db', PORT: '80' })).toEqual([
    'db',
    'db:80',
    'http://db/',
  ]);
});

test('names are replaced in lists and maps of any depth, and not in keys', () => {
  expect(read('a: [{ "${X}": "${X}" }]\n', { X: 'x' })).toEqual({ a: [{ '${X}': 'x' }] });
});

test('values that are no texts stay as they are', () => {
  expect(read('a: [1, true, null, 1.5]\n')).toEqual({ a: [1, true, null, 1.5] });
});

test.each([
  ['not set', {}, 'other'],
  ['empty', { X: '' }, 'other'],
  ['set', { X: 'x' }, 'x'],
])('a default stands in for a name, where that is %s, as in a shell', (_, environment, expected) => {
  expect(read('${X:-other}', environment)).toBe(expected);
});

test('a default may be empty, and may have colons and slashes', () => {
  expect(read('- ${X:-}\n- ${X:-redis://host:6379/0}\n')).toEqual(['', 'redis://host:6379/0']);
});

test('a name that is set to nothing is replaced by nothing', () => {
  expect(read('a${X}b', { X: '' })).toBe('ab');
});

test('what is put in is not read again', () => {
  expect(read('${X}', { X: '${Y}', Y: 'secret' })).toBe('${Y}');
});

test('a name that is not set is told with its line and column, every one of them at once', () => {
  const text = 'a: 1\nb:\n  - x\n  - c: "--${NOPE}"\nd: ${NEITHER}\n';
  expect(unset(text)).toEqual([
    'a.yaml:4:8: b[1].c: names the environment variable NOPE, which is not set; set it, or write ${NOPE:-default}',
    'a.yaml:5:4: d: names the environment variable NEITHER, which is not set; set it, or write ${NEITHER:-default}',
  ]);
  expect(read(text)).toEqual({ a: 1, b: ['x', { c: null }], d: null });
});

test.each(['constructor', 'toString', '__proto__'])('%s is not in an empty environment', (name) => {
  const [first = ''] = unset(`\${${name}}`);
  expect(first).toContain(`names the environment variable ${name}, which is not set`);
});

test('a replaced document still knows where its values stand', () => {
  const { document } = interpolate(parseYaml('a:\n  b: ${X}\n', 'a.yaml'), { X: 'x' }, Type.Unknown());
  expect(document.problemAt(['a', 'b'], 'here')).toMatchObject({ file: 'a.yaml', line: 2, column: 6 });
});
