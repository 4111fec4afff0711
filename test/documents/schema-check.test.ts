import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { checkDocument } from '../../documents/schema-check.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { refusals } from './refusals.ts';

const Animal = Type.Object(
  {
    name: Type.String({ minLength: 1, expected: "the animal's name" }),
    legs: Type.Optional(Type.Integer({ minimum: 0, expected: 'a whole number >= 0' })),
    kind: Type.Optional(Type.Enum(['cat', 'dog'])),
    food: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String(), { minItems: 1 })], {
        expected: 'a food, or a list of them',
      }),
    ),
    young: Type.Optional(
      Type.Array(
        Type.Object(
          { name: Type.String({ expected: 'a name' }) },
          { additionalProperties: false, expected: 'a map' },
        ),
      ),
    ),
  },
  { additionalProperties: false, expected: 'a map with name' },
);

const check = (text: string, schema: TSchema = Animal) => checkDocument(parseYaml(text, 'a.yaml'), schema);
const refusalsOf = (text: string, schema?: TSchema) => refusals(() => check(text, schema));

test('a document that fits is handed on as it is', () => {
  expect(check('name: Tom\nlegs: 4\nkind: cat\nfood: [fish]\n')).toEqual({
    name: 'Tom',
    legs: 4,
    kind: 'cat',
    food: ['fish'],
  });
});

test('a value of the wrong type is shown, with what was expected', async () => {
  expect(await refusalsOf('name: 7\n')).toEqual(["a.yaml:1:7: name: is 7; expected the animal's name"]);
});

test('a text that looks like a number is no number', async () => {
  expect(await refusalsOf('name: Tom\nlegs: "4"\n')).toEqual([
    'a.yaml:2:7: legs: is "4"; expected a whole number >= 0',
  ]);
});

test('a key that is missing stands at the map that lacks it', async () => {
  expect(await refusalsOf('legs: 4\nyoung:\n  - { name: a }\n  - {}\n')).toEqual([
    "a.yaml:1:1: name: is missing; expected the animal's name",
    'a.yaml:4:5: young[1].name: is missing; expected a name',
  ]);
});

test('an unknown key is refused with the keys that are known there', async () => {
  expect(await refusalsOf('name: Tom\nyoung:\n  - name: a\n    lags: 4\n')).toEqual([
    'a.yaml:4:11: young[0].lags: is an unknown key; known here: name',
  ]);
});

test('a value that is none of the choices is refused with the choices', async () => {
  expect(await refusalsOf('name: Tom\nkind: cow\n')).toEqual([
    'a.yaml:2:7: kind: is "cow"; expected one of cat, dog',
  ]);
});

test('where several shapes would do, one sentence says all of them', async () => {
  const expected = 'expected a food, or a list of them';
  expect(await refusalsOf('name: Tom\nfood: 3\n')).toEqual([`a.yaml:2:7: food: is 3; ${expected}`]);
  expect(await refusalsOf('name: Tom\nfood: ""\n')).toEqual([`a.yaml:2:7: food: is ""; ${expected}`]);
  expect(await refusalsOf('name: Tom\nfood: []\n')).toEqual([
    `a.yaml:2:1: food: is a list of 0; ${expected}`,
  ]);
});

test('where just one of several shapes is a list or a map as it was given, what is wrong in it is told', async () => {
  expect(await refusalsOf('name: Tom\nfood: [fish, 3]\n')).toEqual([
    'a.yaml:2:14: food[1]: is 3; expected string',
  ]);
  const Phase = Type.Object({
    number: Type.Integer({ expected: 'a whole number' }),
    name: Type.Optional(Type.String({ maxLength: 5, expected: 'a text of 5 characters at most' })),
    groups: Type.Optional(Type.Array(Type.Union([Type.Integer(), Type.Object({ of: Type.Integer() })]))),
  });
  const only = { additionalProperties: false };
  const Sample = Type.Object({
    phases: Type.Array(
      Type.Union([Type.Integer(), Type.Object(Phase.properties, only)], { expected: 'a phase' }),
    ),
    unit: Type.Optional(
      Type.Union(
        [Type.Object({ header: Type.String() }, only), Type.Object({ cookie: Type.String() }, only)],
        { expected: 'a map with one of header and cookie' },
      ),
    ),
  });
  const told = (text: string) => refusalsOf(text, Sample);
  expect(
    await told('phases: [{ number: 3, name: beginnings }, { number: 1, groups: [1, { of: x }] }]\n'),
  ).toEqual([
    'a.yaml:1:29: phases[0].name: is "beginnings"; expected a text of 5 characters at most',
    'a.yaml:1:74: phases[1].groups[1].of: is "x"; expected integer',
  ]);
  expect(await told('phases: [{ name: end }, none, { number: 1, sead: x }]\n')).toEqual([
    'a.yaml:1:10: phases[0].number: is missing; expected a whole number',
    'a.yaml:1:25: phases[1]: is "none"; expected a phase',
    'a.yaml:1:50: phases[2].sead: is an unknown key; known here: number, name, groups',
  ]);
  // The key that is there says which shape was meant; with both, or none, nothing does.
  expect(await told('phases: []\nunit: { header: 3 }\n')).toEqual([
    'a.yaml:2:17: unit.header: is 3; expected string',
  ]);
  for (const unit of ['{ header: a, cookie: b }', '{ heder: a }'])
    expect(await told(`phases: []\nunit: ${unit}\n`)).toEqual([
      'a.yaml:2:1: unit: is a map; expected a map with one of header and cookie',
    ]);
});

test('a document that is no map is refused as a whole', async () => {
  expect(await refusalsOf('')).toEqual(['a.yaml:1:1: is empty; expected a map with name']);
  expect(await refusalsOf('- name: Tom\n')).toEqual(['a.yaml:1:1: is a list of 1; expected a map with name']);
});

test('every problem is told at once, in the order of the file', async () => {
  expect(await refusalsOf('wings: 2\nkind: cow\nlegs: -1\nyoung: [{ nome: a }]\n')).toEqual([
    "a.yaml:1:1: name: is missing; expected the animal's name",
    'a.yaml:1:8: wings: is an unknown key; known here: name, legs, kind, food, young',
    'a.yaml:2:7: kind: is "cow"; expected one of cat, dog',
    'a.yaml:3:7: legs: is -1; expected a whole number >= 0',
    'a.yaml:4:9: young[0].name: is missing; expected a name',
    'a.yaml:4:17: young[0].nome: is an unknown key; known here: name',
  ]);
});

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
  'a key named %s is an unknown key like any other',
  async (key) => {
    expect(await refusalsOf(`name: Tom\n${key}: { polluted: true }\n`)).toEqual([
      `a.yaml:2:1: ${key}: is an unknown key; known here: name, legs, kind, food, young`,
    ]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  },
);

test('a long value is cut, and a whole subtree is never shown', async () => {
  const [long = ''] = await refusalsOf(`name: Tom\nlegs: ${'x'.repeat(500)}\n`);
  expect(long).toBe(`a.yaml:2:7: legs: is "${'x'.repeat(60)}…"; expected a whole number >= 0`);
  expect(await refusalsOf('name: { first: Tom }\n')).toEqual([
    "a.yaml:1:1: name: is a map; expected the animal's name",
  ]);
});

test.each(['.inf', '-.inf', '.nan'])('a number that is %s is shown as such, not as null', async (number) => {
  const [first = ''] = await refusalsOf(`name: Tom\nlegs: ${number}\n`);
  expect(first).toMatch(
    /^a\.yaml:2:7: legs: is (-?Infinity|NaN|-?\.inf|\.nan); expected a whole number >= 0$/,
  );
});

test('a file with more unknown keys than anyone could mean is refused, never passed', async () => {
  const keys = Array.from({ length: 2000 }, (_, index) => `key${index}: 1\n`);
  expect((await refusalsOf(`name: Tom\n${keys.join('')}`)).length).toBeGreaterThan(0);
});

test('a schema without words of its own borrows those of JSON Schema', async () => {
  const schema = Type.Object({ size: Type.Number({ maximum: 10 }), unit: Type.String() });
  expect(await refusalsOf('size: 11\n', schema)).toEqual([
    'a.yaml:1:1: unit: is missing; expected a value of type string',
    'a.yaml:1:7: size: is 11; expected <= 10',
  ]);
});
