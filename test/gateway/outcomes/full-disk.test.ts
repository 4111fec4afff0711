import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { RotatingFile } from '../../../gateway/exposures/rotating-file.ts';
import type { Outcome } from '../../../experiments/stores/ledger.ts';
import { SpoolPlace } from '../../../gateway/state/spool-place.ts';
import { Spool } from '../../../gateway/state/spool.ts';
import { outcome } from '../../experiments/stores/samples.ts';
import { mountSmallDisk } from '../../servers/small-disk.ts';

const disk = await mountSmallDisk(256);
afterAll(() => disk?.[Symbol.asyncDispose]());

const named = (uid: string) => outcome('a-test', { uid });

describe.skipIf(disk === undefined)('a disk that fills up in the middle of a write', () => {
  const path = disk?.path ?? '';

  test('takes no outcome that is acknowledged when it has room again', async () => {
    const spool = new Spool<Outcome>(new SpoolPlace(join(path, 'spool')), 'outcomes');
    await spool.open();
    await spool.append([named('before')]);
    await disk?.fill();
    const refused: string[] = [];
    for (let number = 0; refused.length === 0; number++) {
      // The last page that the file has takes some of them.
      await spool.append([named(`during-${number}`)]).catch(() => refused.push(`during-${number}`));
    }
    await disk?.free();
    await spool.append([named('after')]);
    const delivered: string[] = [];
    const unreadable = await spool.deliver((outcomes) => {
      delivered.push(...outcomes.map(({ uid }) => uid));
      return Promise.resolve();
    });
    expect(unreadable).toBe(0);
    expect(delivered[0]).toBe('before');
    expect(delivered.at(-1)).toBe('after');
    expect(delivered).not.toContain(refused[0]);
    await spool.close();
  });

  test('leaves no half line in the log of exposures', async () => {
    const file = join(path, 'exposures.jsonl');
    const log = new RotatingFile({ path: file, maxBytes: 1024 ** 2, maxFiles: 2 });
    const line = (name: string): string => JSON.stringify({ name, padding: 'x'.repeat(300) });
    await log.write([line('before')]);
    await disk?.fill();
    const refused: unknown[] = [];
    while (refused.length === 0)
      await log.write([line('during')]).catch((error: unknown) => refused.push(error));
    await disk?.free();
    await log.write([line('after')]);
    await log.close();
    const names = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((text) => (JSON.parse(text) as { name: string }).name);
    expect([names[0], names.at(-1)]).toEqual(['before', 'after']);
  });
});
