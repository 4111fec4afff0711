import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder that is gone when the test is. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
  /** Writes files, by path relative to the folder, with the folders they need. */
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
}

export async function temporaryFolder(
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'signalbox-'));
  const folder: TemporaryFolder = {
    path,
    async write(more) {
      for (const [name, content] of Object.entries(more)) {
        await mkdir(join(path, name, '..'), { recursive: true });
        await writeFile(join(path, name), content);
      }
    },
    async [Symbol.asyncDispose]() {
      // A process that was killed, and those that it started, may still be writing as they end.
      await rm(path, { recursive: true, force: true, maxRetries: 8, retryDelay: 100 });
    },
  };
  await folder.write(files);
  return folder;
}
