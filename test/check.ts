/**
 * `npm run check`: types, lint, import rules and format. They run in two rows beside each other, as two cores are what the smallest machines
 * have, and lint takes as long as the others together. All are run to the end, so that one look shows everything that is to be mended.
 */
import { spawn } from 'node:child_process';

const ROWS = [['check:lint'], ['check:types', 'check:imports', 'check:format']];

/** Prints what a check said once it has ended, so that no two of them speak at once. */
function passes(check: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    // npm is a batch file on Windows, which only a shell starts.
    const child = spawn('npm', ['run', check], { shell: process.platform === 'win32' });
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => said.push(chunk));
    }
    child.once('error', reject);
    child.once('close', (code) => {
      process.stdout.write(Buffer.concat(said));
      resolve(code === 0);
    });
  });
}

const failed: string[] = [];
await Promise.all(
  ROWS.map(async (row) => {
    for (const check of row) if (!(await passes(check))) failed.push(check);
  }),
);
if (failed.length > 0) {
  process.stderr.write(`\nfailed: ${failed.map((check) => `npm run ${check}`).join(', ')}\n`);
  process.exitCode = 1;
}
