import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Config } from '../../../gateway/config/config.ts';
import { loadConfig } from '../../../gateway/config/load-config.ts';
import { ConfigFile } from '../../../gateway/reload/config-file.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { eventually } from '../running-gateway.ts';

const limited = (rate: string): string =>
  `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\nlimits: { addressRate: ${rate} }\n`;

/** The bursts of addresses that were put in force. */
function follow(config: Config): { readonly file: ConfigFile; readonly bursts: (number | undefined)[] } {
  const bursts: (number | undefined)[] = [];
  const file = new ConfigFile({
    config,
    environment: {},
    log: pino({ level: 'silent' }),
    apply: ({ limits }) => bursts.push(limits.address.rate?.burst),
    onReload: () => undefined,
  });
  return { file, bursts };
}

// A pipe gives its text once: whoever read it a second time would wait for another writer without an end.
test.skipIf(process.platform === 'win32')(
  'what was read is what takes effect: the file is read once',
  async () => {
    await using folder = await temporaryFolder({ 'signalbox.yaml': limited('5/s') });
    const path = join(folder.path, 'signalbox.yaml');
    const { file, bursts } = follow(await loadConfig(path, {}));
    await rm(path);
    await promisify(execFile)('mkfifo', [path]);
    await Promise.all([file.reload(), writeFile(path, limited('7/s'))]);
    expect(bursts).toEqual([7]);
  },
);

test('what was written while the gateway started takes effect, too', async () => {
  await using folder = await temporaryFolder({ 'signalbox.yaml': limited('5/s') });
  const path = join(folder.path, 'signalbox.yaml');
  const { file, bursts } = follow(await loadConfig(path, {}));
  await writeFile(path, limited('8/s'));
  await file.start();
  try {
    await eventually(() => bursts.length > 0);
    expect(bursts).toEqual([8]);
  } finally {
    await file.stop();
  }
});

test('a file that says what is in force already is not put in force again', async () => {
  await using folder = await temporaryFolder({ 'signalbox.yaml': limited('5/s') });
  const path = join(folder.path, 'signalbox.yaml');
  const { file, bursts } = follow(await loadConfig(path, {}));
  await file.start();
  try {
    await writeFile(path, limited('9/s'));
    await eventually(() => bursts.length > 0);
    expect(bursts).toEqual([9]);
  } finally {
    await file.stop();
  }
});
