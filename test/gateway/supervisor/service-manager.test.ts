import { chmod, readFile, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { ServiceManager } from '../../../gateway/supervisor/service-manager.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { eventually } from '../running-gateway.ts';

/** Stands for systemd's program: writes down what it is to tell, and fails for as long as the manager is away. */
const PROGRAM = `#!/bin/sh
cd "\${0%/*}"
echo "$@" >> asked
[ -e away ] && exit 1
echo "$@" >> told
`;

test('a manager that didn’t hear a message is told the next ones, and the log has one line of it', async () => {
  await using folder = await temporaryFolder({ 'systemd-notify': PROGRAM, away: '', asked: '', told: '' });
  await chmod(join(folder.path, 'systemd-notify'), 0o755);
  vi.stubEnv('PATH', `${folder.path}${delimiter}${process.env.PATH ?? ''}`);
  const lines = async (name: string): Promise<readonly string[]> =>
    (await readFile(join(folder.path, name), 'utf8')).trim().split('\n');
  const log: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => log.push(line) });
  const manager = ServiceManager.of({ NOTIFY_SOCKET: '/any', WATCHDOG_USEC: '20000' }, logger);

  manager?.ready('serves', () => Promise.resolve(true));
  await eventually(async () => (await lines('asked')).length > 2);
  expect(log).toEqual([expect.stringContaining('the service manager could not be told')]);
  expect(await lines('told')).toEqual(['']);

  await rm(join(folder.path, 'away'));
  await eventually(async () => (await lines('told')).length > 1);
  await manager?.stopping();
  expect((await lines('told')).at(0)).toBe('WATCHDOG=1');
  expect((await lines('told')).at(-1)).toBe('STOPPING=1 STATUS=answering what is in flight');
  expect(log).toHaveLength(1);
});
