import { expect, test } from 'vitest';
import { MEASURED_FILES } from '../gateway/faces/predictions.ts';
import { eventually, startGateway } from '../gateway/running-gateway.ts';
import { signalbox } from './cli.ts';

async function printed(...args: readonly string[]) {
  await using command = signalbox(...args);
  const code = await command.ended;
  return { code, out: command.stdout(), err: command.stderr() };
}

test('an experiment is rolled back in the terminal, a live view shows it, and the audit log says why', async () => {
  await using gateway = await startGateway({ admin: true, files: MEASURED_FILES });
  const admin = ['--admin', `http://${gateway.server.bound.admin ?? ''}`];
  await using live = signalbox('status', 'digits-cnn', '--watch', '--interval', '0.1', ...admin);
  await eventually(() => live.stdout().includes('running'));

  expect(await printed('rollback', 'digits-cnn', ...admin)).toMatchObject({ code: 2 });
  const dry = await printed('rollback', 'digits-cnn', '--reason', 'slow', '--dry-run', '--json', ...admin);
  expect(JSON.parse(dry.out)).toMatchObject({ dryRun: true, changed: true, weightsVersion: 2 });
  const decidedOn = (version: string) =>
    printed(
      'rollback',
      'digits-cnn',
      '--reason',
      'slow',
      '--weights-version',
      version,
      '--dry-run',
      ...admin,
    );
  expect((await decidedOn('1')).code).toBe(0);
  const late = await decidedOn('7');
  expect(late).toMatchObject({ code: 1, err: expect.stringMatching(/version 7/) as string });
  expect(await decidedOn('1.5')).toMatchObject({
    code: 2,
    err: expect.stringContaining('expected a whole number above 0') as string,
  });
  const done = await printed('rollback', 'digits-cnn', '--reason', 'v2 is slow', ...admin);
  expect(done).toMatchObject({
    code: 0,
    out: expect.stringContaining('rollback of digits-cnn: done') as string,
  });
  await eventually(() => live.stdout().includes('reason: v2 is slow'));
  live.child.kill('SIGINT');
  expect(await live.ended).toBe(0);

  const wrong = await printed('promote', 'digits-cnn', '--reason', 'x', '--variant', 'v9', ...admin);
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('its variants are v1, v2') as string });
  const audit = await printed('audit', 'digits-cnn', ...admin);
  expect(audit.out).toMatch(
    /rollback, by hand from 127\.0\.0\.1: v2 is slow\n.*running v1 50, v2 50 → \(2\) completed/,
  );
});
