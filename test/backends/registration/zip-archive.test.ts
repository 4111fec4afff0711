import { mkdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ZipArchive } from '../../../backends/registration/zip-archive.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { zipFile } from '../../models/zip-file.ts';
import type { ZippedFile } from '../../models/zip-file.ts';

const LIMITS = { entries: 5, bytes: 8 * 1024 ** 2, ratio: 100 };

async function opened(
  content: Uint8Array,
  use: (archive: ZipArchive, folder: string) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder({ 'a.mar': content });
  const archive = await ZipArchive.open(join(folder.path, 'a.mar'), 'a.mar', LIMITS);
  try {
    await use(archive, folder.path);
  } finally {
    archive.close();
  }
}

const open = (content: Uint8Array): Promise<void> => opened(content, () => Promise.resolve());

describe('an archive', () => {
  test('tells its files, and unpacks those that are asked for', async () => {
    const weights = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) & 0xff));
    const files = [
      { path: 'MAR-INF/MANIFEST.json', content: '{}' },
      { path: 'sub/', content: '', mode: 0o040755, method: 0 },
      { path: 'sub/weights.bin', content: weights },
    ];
    await opened(zipFile(files), async (archive, folder) => {
      expect(archive.files).toEqual(['MAR-INF/MANIFEST.json', 'sub/weights.bin']);
      expect(await archive.text('MAR-INF/MANIFEST.json', 100)).toBe('{}');
      expect(await archive.text('nothing', 100)).toBeUndefined();
      await archive.extract('sub/weights.bin', join(folder, 'out'));
      expect(await readFile(join(folder, 'out/sub/weights.bin'))).toEqual(weights);
    });
  });

  test.each<[string, readonly ZippedFile[], RegExp]>([
    ['leads out of the folder', [{ path: '../evil', content: 'x' }], /damaged.*invalid relative path/],
    [
      'leads out of the folder further down',
      [{ path: 'a/../../evil', content: 'x' }],
      /damaged.*invalid relative path/,
    ],
    ['stands at the root', [{ path: '/etc/passwd', content: 'x' }], /damaged.*absolute path/],
    ['has a backslash in its path', [{ path: '..\\evil', content: 'x' }], /damaged.*invalid characters/],
    [
      'is a link',
      [{ path: 'link', content: '/etc/passwd', mode: 0o120777 }],
      /"link" in a.mar is a link or a device/,
    ],
    ['is a device', [{ path: 'tty', content: '', mode: 0o020666 }], /"tty" in a.mar is a link or a device/],
    ['is encrypted', [{ path: 'a', content: 'x', encrypted: true }], /"a" in a.mar is encrypted/],
    ['is packed in a way that is not read', [{ path: 'a', content: 'x', method: 99 }], /packed by method 99/],
    [
      'is there twice',
      [
        { path: 'a', content: 'x' },
        { path: 'a', content: 'y' },
      ],
      /has "a" twice/,
    ],
    [
      'unpacks to far more than it is',
      [{ path: 'a', content: Buffer.alloc(4 * 1024 ** 2) }],
      /more than 100 times as many/,
    ],
    [
      'has more bytes than may be',
      [{ path: 'a', content: 'x', saidBytes: 9 * 1024 ** 2, method: 8 }],
      /more than 8388608 bytes/,
    ],
  ])('with a file that %s is refused', async (_, files, message) => {
    await expect(open(zipFile(files))).rejects.toThrow(message);
  });

  test.each([
    ['a\u0000b', /is no path that every file system takes/],
    ['a//b', /is no path that every file system takes/],
    ['./a', /is no path that every file system takes/],
    ['1/2/3/4/5/6/7/8/9', /is no path that every file system takes/],
    ['x'.repeat(201), /is no path that every file system takes/],
  ])('with a file called %j is refused', async (path, message) => {
    await expect(open(zipFile([{ path, content: 'x' }]))).rejects.toThrow(message);
  });

  test('with a file that is a folder too is refused', async () => {
    const files = [
      { path: 'a', content: 'x' },
      { path: 'a/b', content: 'y' },
    ];
    await expect(open(zipFile(files))).rejects.toThrow('"a" in a.mar is a file and a folder');
  });

  test('with more files than may be, or that is none, is refused', async () => {
    const many = Array.from({ length: 6 }, (_, index) => ({ path: `f${index}`, content: '' }));
    await expect(open(zipFile(many))).rejects.toThrow('a.mar has 6 files; at most 5 are read');
    await expect(open(Buffer.from('no archive'))).rejects.toThrow('a.mar is no zip archive');
    await expect(open(new Uint8Array())).rejects.toThrow('a.mar is no zip archive');
  });

  test('whose file is not what it says is refused when the file is read', async () => {
    const lies: readonly ZippedFile[] = [
      { path: 'longer', content: 'four', saidBytes: 3 },
      { path: 'shorter', content: 'four', saidBytes: 5 },
      { path: 'other', content: 'four', saidCrc: 1 },
    ];
    for (const lie of lies) {
      await opened(zipFile([lie]), async (archive, folder) => {
        await expect(archive.text(lie.path, 100), lie.path).rejects.toThrow(/is damaged/);
        await expect(archive.extract(lie.path, folder), lie.path).rejects.toThrow(/is damaged/);
      });
    }
    await opened(zipFile([{ path: 'big', content: 'four' }]), async (archive) => {
      await expect(archive.text('big', 3)).rejects.toThrow('big in a.mar has 4 bytes; at most 3 are read');
    });
  });

  test('whose file’s own header is broken is refused, and no file is opened in a folder that is gone by then', async () => {
    const broken = zipFile([{ path: 'weights.bin', content: 'weights', method: 0 }]);
    // The directory at the end is whole, so this shows only where the file is read.
    broken.write('XX', 0, 'latin1');
    const uncaught: unknown[] = [];
    const listen = (error: unknown): void => {
      uncaught.push(error);
    };
    process.on('uncaughtException', listen);
    try {
      await opened(broken, async (archive, folder) => {
        // Often, because it depends on which of two threads is first.
        for (let count = 0; count < 1000; count++) {
          const inner = join(folder, String(count));
          mkdirSync(inner);
          await expect(archive.extract('weights.bin', inner)).rejects.toThrow(/is damaged/);
          rmSync(inner, { recursive: true });
        }
      });
      expect(uncaught).toEqual([]);
    } finally {
      process.off('uncaughtException', listen);
    }
  });
});
