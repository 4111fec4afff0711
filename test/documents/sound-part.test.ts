import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { soundPart } from '../../documents/sound-part.ts';

const Schema = Type.Object(
  {
    place: Type.Object({ at: Type.String(), port: Type.Optional(Type.Integer()) }),
    sink: Type.Optional(Type.Object({ url: Type.String(), size: Type.Optional(Type.Integer()) })),
    names: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: false },
);
const LEAST = { place: { at: 'here' } };

test.each<[string, unknown, unknown]>([
  ['data that fits stays whole', { place: { at: 'x' }, names: ['a'] }, { place: { at: 'x' }, names: ['a'] }],
  ['a value that is wrong is left out', { place: { at: 'x', port: 'y' } }, { place: { at: 'x' } }],
  ['an unknown key is left out', { place: { at: 'x' }, 'a/b~c': {} }, { place: { at: 'x' } }],
  ['what has to be there is filled in', { place: { at: 1, port: 2 } }, { place: { at: 'here', port: 2 } }],
  [
    'a map that lacks something is left out',
    { place: { at: 'x' }, sink: { size: 1 } },
    { place: { at: 'x' } },
  ],
  ['a list goes as a whole', { place: { at: 'x' }, names: ['a', 1] }, { place: { at: 'x' } }],
  ['of data that is no map nothing is left', [1], LEAST],
])('%s', (_, data, expected) => {
  expect(soundPart(Schema, data, LEAST)).toEqual(expected);
});

test('the data is not changed', () => {
  const data = { place: 7, names: [1] };
  soundPart(Schema, data, LEAST);
  expect(data).toEqual({ place: 7, names: [1] });
});
