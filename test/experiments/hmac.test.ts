import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacKey } from '../../experiments/hmac.ts';

const tagOf = (secret: string, message: Uint8Array): string =>
  createHmac('sha256', secret).update(message).digest('hex');

function signed(key: HmacKey, message: Uint8Array): string {
  key.message.set(message);
  return Buffer.from(key.sign(message.length), 'latin1').toString('hex');
}

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
      fc.array(fc.uint8Array({ maxLength: 256 }), { maxLength: 8 }),
      (secret, messages) => {
        const key = new HmacKey(secret);
        for (const message of messages) expect(signed(key, message)).toBe(tagOf(secret, message));
      },
    ),
  );
});

test('leaves the message as it is, so that it can be signed again with more behind it', () => {
  const key = new HmacKey('secret');
  expect(signed(key, Buffer.from('signed'))).toBe(tagOf('secret', Buffer.from('signed')));
  key.message.write(' too', 6);
  expect(Buffer.from(key.sign(10), 'latin1').toString('hex')).toBe(
    tagOf('secret', Buffer.from('signed too')),
  );
});

test('refuses a length that the message has no room for, where it would sign less than it was told', () => {
  expect(() => new HmacKey('secret').sign(257)).toThrow(/257 bytes/);
});
