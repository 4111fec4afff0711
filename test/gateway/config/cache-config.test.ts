import { expect, test } from 'vitest';
import { LEAST, load, refusalsOf } from './config-text.ts';

test('answers may be kept in Redis, and in one place only', async () => {
  const { cache } = await load(`${LEAST}cache: { redis: 'redis://host:6379/1', ttl: 30s }\n`);
  expect(cache).toEqual({ kind: 'redis', url: 'redis://host:6379/1', ttlMs: 30_000 });
  expect(
    await refusalsOf(`${LEAST}cache: { redis: 'redis://:secret@', memory: 1MiB, ttl: 0.5ms }\n`),
  ).toEqual([
    expect.stringMatching(/cache\.redis: (?!.*secret).*expected redis:/),
    expect.stringMatching(/cache\.memory: is there beside redis; expected one of the two/),
    expect.stringMatching(/cache\.ttl: is 0\.5ms; expected whole milliseconds/),
  ]);
});
