import { expect, test } from 'vitest';
import { LEAST, load, refusalsOf } from './config-text.ts';

test.each([
  ['memory', { kind: 'memory' }],
  ['sqlite:/var/lib/s.db', { kind: 'sqlite', file: '/var/lib/s.db' }],
  ['redis://host:6379/0', { kind: 'redis', url: 'redis://host:6379/0' }],
  ['rediss://user:pass@host', { kind: 'redis', url: 'rediss://user:pass@host' }],
  ['redis+cluster://a:1,b:2', { kind: 'redis', url: 'redis+cluster://a:1,b:2' }],
  ['redis+sentinel://a,b/main/1', { kind: 'redis', url: 'redis+sentinel://a,b/main/1' }],
])('a state of %s is taken', async (state, address) => {
  expect((await load(`${LEAST}state: "${state}"\n`)).state).toEqual(address);
});

test.each([
  ['sqlite:', 'names no file'],
  ['sqlite://file.db', 'names no file'],
  ['postgres://:hunter2@host', 'is no address of Redis'],
  ['redis://:hunter2@host:99999', 'has port 99999'],
  ['redis://a,b', 'several servers'],
  ['redis://host/1/2', 'several servers or databases'],
  ['redis+cluster://a:1/3', 'a Redis cluster has only one'],
  ['redis+sentinel://a:1', 'names no group'],
])('a state of %s is refused at its line, and no password is repeated', async (state, message) => {
  const [line] = await refusalsOf(`${LEAST}state: "${state}"\n`);
  expect(line).toContain(message);
  expect(line).toContain(': state: ');
  expect(line).not.toContain('hunter2');
});
