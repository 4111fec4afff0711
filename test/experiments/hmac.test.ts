import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacKey } from '../../experiments/hmac.ts';

const tagOf = (secret: string, message: Uint8Array): string =>
  createHmac('sha256', secret).update(message).digest('hex');

const signed = (key: HmacKey, message: Buffer, length?: number): string =>
  Buffer.from(key.sign(message, length), 'latin1').toString('hex');

test('signs the published example of RFC 4231, test case 2', () => {
  const key = new HmacKey('Jefe');
  expect(signed(key, Buffer.from('what do ya want for nothing?'))).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('signs as the platform does, whatever the lengths of secrets and messages, one after the other', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 8 }),
      (secret, messages) => {
        const key = new HmacKey(secret);
        for (const message of messages)
          expect(signed(key, Buffer.from(message))).toBe(tagOf(secret, message));
      },
    ),
  );
});

test('signs the start of a message', () => {
  const message = Buffer.from('signed, and not signed');
  expect(signed(new HmacKey('secret'), message, 6)).toBe(tagOf('secret', Buffer.from('signed')));
});
