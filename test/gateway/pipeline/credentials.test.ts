import { expect, test } from 'vitest';
import { apiKeyId } from '../../../gateway/pipeline/api-key-id.ts';
import { cookieValue } from '../../../gateway/pipeline/cookie.ts';

test.each([
  ['uid=ada', 'ada'],
  ['a=1; uid=ada; b=2', 'ada'],
  ['a=1;uid=ada', 'ada'],
  ['uid="ada"', 'ada'],
  ['uid=', ''],
  ['uid=a=b', 'a=b'],
  ['uid=first; uid=second', 'first'],
  ['xuid=ada', undefined],
  ['uid', undefined],
  ['', undefined],
  [undefined, undefined],
])('the cookie uid of %j is %j', (header, value) => {
  expect(cookieValue(header, 'uid')).toBe(value);
});

const SECRET = 'a'.repeat(43);

test.each([
  ['authorization', `Bearer sb_shop_${SECRET}`, 'shop'],
  ['authorization', `bearer  sb_shop-1_${SECRET}`, 'shop-1'],
  ['x-api-key', `sb_shop_${SECRET}`, 'shop'],
  ['x-api-key', `sb_shop_${SECRET}b`, undefined],
  ['x-api-key', 'secret', undefined],
  ['authorization', `Basic sb_shop_${SECRET}`, undefined],
])('the header %s: %s carries the key %j', (name, value, id) => {
  expect(apiKeyId({ header: (asked) => (asked === name ? value : undefined) })).toBe(id);
});
