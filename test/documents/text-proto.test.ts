import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { parseTextProto } from '../../documents/text-proto.ts';
import type { SourceDocument } from '../../documents/source-document.ts';
import { refusals } from './refusals.ts';

const { root } = protobuf.parse(
  `syntax = "proto3";
  enum Color { RED = 0; DARK_BLUE = 7; }
  message Point { int32 x = 1; float y = 2; }
  message Shape {
    string name = 1;
    bool is_filled = 2;
    uint64 size = 3;
    repeated int32 numbers = 4;
    repeated Point points = 5;
    Color color = 6;
    map<string, Point> named = 7;
    map<uint64, string> labels = 8;
    Point center = 9;
    repeated string words = 10;
  }`,
  { keepCase: true },
);
const Shape = root.lookupType('Shape');

function parse(text: string): SourceDocument {
  return parseTextProto(text, Shape, 'shape.pbtxt');
}

function mistakesIn(text: string): Promise<readonly string[]> {
  return refusals(() => parse(text));
}

test('scalars, messages, lists and maps become plain data, under the names of the .proto', () => {
  const { data } = parse(String.raw`
    # a comment
    name: "two " 'words\n\x41'   # and one at the end
    is_filled: true, size: 0x10;
    numbers: [1, -2, 3] numbers: 4
    points { x: 1 y: 2.5 } points: < x: -1, y: 1e-3 >
    color: DARK_BLUE
    named { key: "a" value { x: 5 } }
    named [{ value { x: 6 } key: "b" }]
    labels { key: 3 value: "three" }
    center: { }
  `);
  expect(data).toEqual({
    name: 'two words\nA',
    is_filled: true,
    size: 16,
    numbers: [1, -2, 3, 4],
    points: [
      { x: 1, y: 2.5 },
      { x: -1, y: 0.001 },
    ],
    color: 'DARK_BLUE',
    named: { a: { x: 5 }, b: { x: 6 } },
    labels: { '3': 'three' },
    center: {},
  });
});

test('an enum may be given by its number, and an empty text is an empty message', () => {
  expect(parse('color: 7').data).toEqual({ color: 'DARK_BLUE' });
  expect(parse(' # nothing\n').data).toEqual({});
});

test('a key that JavaScript gives a meaning to is a key as any other', () => {
  const { data } = parse('named { key: "__proto__" value { x: 1 } }');
  expect(Object.keys((data as { named: object }).named)).toEqual(['__proto__']);
});

test('every value knows its place, and a missing one that of the message it is missing in', () => {
  const document = parse(
    'name: "a"\npoints {\n  x: 1\n}\nnamed { key: "k" value { x: 2 } }\nnumbers: [1,\n  22]',
  );
  const placeOf = (...path: (string | number)[]): string => {
    const { line, column } = document.problemAt(path, '');
    return `${line}:${column}`;
  };
  expect(placeOf('name')).toBe('1:7');
  expect(placeOf('points', 0, 'x')).toBe('3:6');
  expect(placeOf('points', 0, 'y')).toBe('2:8');
  expect(placeOf('named', 'k', 'x')).toBe('5:29');
  expect(placeOf('numbers', 1)).toBe('7:3');
  expect(placeOf('center', 'x')).toBe('1:1');
  expect(document.problemAt(['points', 0, 'x'], 'is odd').path).toBe('points[0].x');
});

describe('mistakes are told with line and column', () => {
  test('every unknown field, wrong type and field given twice at once', async () => {
    expect(
      await mistakesIn(
        'name: unquoted\nsice: 5\ncenter { z { a: [1, "}"] } x: 1.5 }\nsize: -1\ncolor: "RED"\nis_filled: yes\nsize: 2',
      ),
    ).toEqual([
      'shape.pbtxt:1:7: name: is unquoted; expected a text in quotes',
      'shape.pbtxt:2:1: sice: is an unknown key; known here: name, is_filled, size, numbers, points, color, named, ' +
        'labels, center, words',
      'shape.pbtxt:3:10: center.z: is an unknown key; known here: x, y',
      'shape.pbtxt:3:31: center.x: is 1.5; expected a whole number',
      'shape.pbtxt:4:7: size: is -1; expected a whole number >= 0',
      'shape.pbtxt:5:8: color: is "RED"; expected one of RED, DARK_BLUE',
      'shape.pbtxt:6:12: is_filled: is yes; expected true or false',
      'shape.pbtxt:7:1: size: is given twice; expected it once',
    ]);
  });

  test.each([
    ['name "a"', 'shape.pbtxt:1:6: expected ":" after name'],
    ['center {\n  x: 1', 'shape.pbtxt:2:7: ends inside center; expected "}"'],
    ['center x: 1', 'shape.pbtxt:1:8: expected "{" after center'],
    ['name: "a\n"', 'shape.pbtxt:1:7: a text in quotes does not end on its line'],
    ['name: "a" }', 'shape.pbtxt:1:11: "}" is no field name'],
    ['numbers: [1 2]', 'shape.pbtxt:1:13: expected "," or "]" in a list'],
    ['size: }', 'shape.pbtxt:1:7: expected a value of size'],
    ['name: "a" @', 'shape.pbtxt:1:11: "@" is unexpected'],
    ['named { value { x: 1 } }', 'shape.pbtxt:1:7: named: has an entry without its key'],
    ['named { key: "a" }', 'shape.pbtxt:1:7: named: has an entry without its value'],
    [
      'named { key: "a" value { } } named { key: "a" value { } }',
      'shape.pbtxt:1:36: named.a: is given twice; expected it once',
    ],
    ['labels { name: 1 }', 'shape.pbtxt:1:10: "name" stands in a map\'s entry; expected key and value'],
    ['unknown {', 'shape.pbtxt:1:10: ends inside a value'],
  ])('%j', async (text, mistake) => {
    expect((await mistakesIn(text)).at(-1)).toBe(mistake);
  });

  test('messages within each other without end', async () => {
    const { root: endless } = protobuf.parse('syntax = "proto3"; message Node { Node node = 1; }');
    expect(
      await refusals(() => parseTextProto('node {'.repeat(100_000), endless.lookupType('Node'), 'deep')),
    ).toEqual(['deep:1:391: more than 64 messages within each other']);
  });
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
  'a field or an enum called %s is unknown, as any other',
  async (name) => {
    expect((await mistakesIn(`name: "a"\n${name}: 1`))[0]).toContain(
      `shape.pbtxt:2:1: ${name}: is an unknown key`,
    );
    expect(await mistakesIn(`color: ${name}`)).toEqual([
      `shape.pbtxt:1:8: color: is ${name}; expected one of RED, DARK_BLUE`,
    ]);
  },
);
