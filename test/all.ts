/**
 * `npm test`: what `npm run check` looks at and every test, beside each other. Tests wait for a part of their time, for processes of their own
 * or for a time to pass; the check takes what they leave of the cores, and nothing that they want. What it is given goes to Vitest.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants, setPriority } from 'node:os';

// npm and Vitest are batch files on Windows, which only a shell starts.
const shell = process.platform === 'win32';

const ended = (child: ChildProcess): Promise<boolean> =>
  new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => {
      resolve(code === 0);
    });
  });

const check = spawn('npm', ['run', '--silent', 'check'], { shell, stdio: ['ignore', 'pipe', 'pipe'] });
// Before it has started anything, so that all of it is as patient.
if (check.pid !== undefined) setPriority(check.pid, constants.priority.PRIORITY_LOW);
const said: Buffer[] = [];
for (const stream of [check.stdout, check.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk));
const tests = spawn('vitest', ['run', ...process.argv.slice(2)], { shell, stdio: 'inherit' });

// The terminal tells all of them when somebody interrupts it; who ends this one alone ends them too.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => {
  for (const child of [check, tests]) child.kill();
});

const [isSound, isPassed] = await Promise.all([ended(check), ended(tests)]);
// After the tests, whose report would scroll it away.
process.stdout.write(Buffer.concat(said));
process.exitCode = isSound && isPassed ? 0 : 1;
