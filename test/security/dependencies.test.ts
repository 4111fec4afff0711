import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from '../e2e/cli.ts';

const execute = promisify(execFile);

/** What `npm audit --json` prints; without a registry it has `message` instead. */
interface AuditReport {
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
  readonly message?: string;
  readonly vulnerabilities?: Readonly<Record<string, unknown>>;
}

async function audit(): Promise<AuditReport> {
  const options = { cwd: ROOT, timeout: 60_000, maxBuffer: 64 * 1024 ** 2 };
  // It exits with 1 where it found something, and where it could not ask.
  const { stdout } = await execute('npm', ['audit', '--omit=dev', '--json'], options).catch(
    (error: unknown) => error as { readonly stdout: string },
  );
  return JSON.parse(stdout === '' ? '{"message":"npm printed nothing"}' : stdout) as AuditReport;
}

test('nothing that is shipped has a known flaw (npm audit --omit=dev)', async ({ skip }) => {
  const { metadata, message, vulnerabilities } = await audit();
  if (metadata === undefined) {
    skip(`the registry's advisories can't be asked for: ${message ?? 'no reason given'}`);
    return;
  }
  expect(Object.keys(vulnerabilities ?? {})).toEqual([]);
  expect(metadata.vulnerabilities.total).toBe(0);
});
