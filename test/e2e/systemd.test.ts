/** What systemd is told, over a real socket of the kind that it listens on. */
import { execFile } from 'node:child_process';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { childOf } from '../chaos/supervised.ts';
import { eventually } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { findServer } from '../servers/debian-server.ts';
import { startNotifySocket } from '../servers/notify-socket.ts';
import { ROOT, run } from './cli.ts';

const execute = promisify(execFile);
const notify = await findServer('systemd-notify', 'systemd');
const python = await findServer('python3', 'python3');
const isMissing = notify.kind === 'missing' || python.kind === 'missing';
const UNIT = join(ROOT, 'deploy/systemd/signalbox.service');

function folderOf() {
  return temporaryFolder({
    'signalbox.yaml': 'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models, control: none }\n',
    'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]),
  });
}

describe.skipIf(isMissing)('systemd is told', () => {
  const program = python.kind === 'found' ? python.program : '';

  test.each([
    ['by the parent', []],
    ['by the one process', ['--no-supervisor']],
  ])('of the service that it serves, reloads and stops, %s', async (_, options) => {
    await using socket = await startNotifySocket(program);
    await using folder = await folderOf();
    const file = join(folder.path, 'signalbox.yaml');
    await using gateway = run(
      process.execPath,
      ['gateway/cli/main.ts', 'serve', ...options, '--config', file],
      { ...process.env, NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '200000' },
    );
    const { pid, http } = await gateway.ready();
    const told = (name: string) => socket.messages.filter((message) => name in message);
    await eventually(() => told('READY').length === 1);
    expect(told('READY')[0]).toEqual({ READY: '1', STATUS: `http=${http ?? ''}` });
    await eventually(() => told('WATCHDOG').length >= 2);

    await appendFile(file, 'limits: { addressRate: 77/s }\n');
    process.kill(Number(pid), 'SIGHUP');
    await eventually(() => told('READY').length === 2);
    expect(Number(told('RELOADING')[0]?.MONOTONIC_USEC)).toBeGreaterThan(0);
    expect(socket.messages.findIndex((message) => 'RELOADING' in message)).toBeLessThan(
      socket.messages.findLastIndex((message) => 'READY' in message),
    );
    await eventually(() => gateway.stderr().includes('the configuration was reloaded'));

    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
    await eventually(() => told('STOPPING').length === 1);
    expect(told('STOPPING')[0]?.STOPPING).toBe('1');
  });

  test('nothing more of a serving process that hangs, and again of the one after it', async () => {
    await using socket = await startNotifySocket(program);
    await using folder = await folderOf();
    await using gateway = run(
      process.execPath,
      ['gateway/cli/main.ts', 'serve', '--config', join(folder.path, 'signalbox.yaml')],
      { ...process.env, NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '200000' },
    );
    const { pid } = await gateway.ready();
    const beats = () => socket.messages.filter((message) => 'WATCHDOG' in message).length;
    await eventually(() => beats() >= 2);
    const hanging = await childOf(Number(pid));
    process.kill(hanging, 'SIGSTOP');
    // What was asked before is answered still; then there are no more of them, however long one looks.
    let before = -1;
    await eventually(async () => {
      const now = beats();
      const isStill = now === before;
      before = now;
      if (!isStill) await new Promise((resolve) => setTimeout(resolve, 1000));
      return isStill;
    });
    process.kill(hanging, 'SIGKILL');
    await eventually(() => beats() > before);
  });
});

test('without a service manager nobody is told', async () => {
  await using folder = await folderOf();
  await using gateway = run(
    process.execPath,
    ['gateway/cli/main.ts', 'serve', '--config', join(folder.path, 'signalbox.yaml')],
    { ...process.env, NOTIFY_SOCKET: '', PATH: '/nowhere' },
  );
  await gateway.ready();
  gateway.child.kill('SIGTERM');
  expect(await gateway.ended).toBe(0);
  expect(gateway.stderr()).not.toContain('service manager');
});

test('a program that is missing is told in the log, and it serves all the same', async () => {
  await using folder = await folderOf();
  await using gateway = run(
    process.execPath,
    ['gateway/cli/main.ts', 'serve', '--config', join(folder.path, 'signalbox.yaml')],
    { ...process.env, PATH: '/nowhere', NOTIFY_SOCKET: '/nowhere/notify' },
  );
  const { http = '' } = await gateway.ready();
  await eventually(() => gateway.stderr().includes('systemd-notify has to be on the PATH'));
  expect((await fetch(`http://${http}/v2/health/ready`)).status).toBe(200);
});

const analyze = await findServer('systemd-analyze', 'systemd');

describe.skipIf(analyze.kind === 'missing')('the unit', () => {
  const program = analyze.kind === 'found' ? analyze.program : '';

  test('is one that systemd takes, every line of it', async () => {
    const unit = await readFile(UNIT, 'utf8');
    // By its name alone: npm's prefix is /usr on one machine and /usr/local on another.
    expect(unit).toMatch(/^ExecStart=signalbox serve /m);
    const text = unit.replace('ExecStart=signalbox', `ExecStart=${process.execPath}`);
    await using folder = await temporaryFolder({ 'signalbox.service': text });
    const { stdout, stderr } = await execute(program, [
      'verify',
      '--man=no',
      join(folder.path, 'signalbox.service'),
    ]);
    expect(stdout + stderr).toBe('');
  });

  test('leaves little open, as systemd counts it', async () => {
    // From 0, which is closed, to 10; what is over the threshold fails.
    const { stdout } = await execute(program, [
      'security',
      '--offline=true',
      '--threshold=30',
      '--no-pager',
      UNIT,
    ]);
    expect(stdout).toContain('Overall exposure level');
  });
});
