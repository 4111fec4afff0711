import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openLog, routineLines } from '../../../gateway/telemetry/log-sink.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { eventually } from '../running-gateway.ts';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly index?: number;
  readonly lines?: number;
}

const linesOf = (text: string): readonly Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

test('lines come whole and in order, whatever their level', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'log');
  const fd = openSync(file, 'a');
  const log = openLog({ logLevel: 'info' }, fd);
  for (let index = 0; index < 5000; index++) {
    if (index % 97 === 0) log.warn({ index }, 'urgent ü');
    else log.info({ index }, 'routine ü');
    if (index % 500 === 0) await new Promise(setImmediate);
  }
  await eventually(() => readFileSync(file, 'utf8').includes('"index":4999,'));
  const lines = linesOf(readFileSync(file, 'utf8'));
  expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: 5000 }, (_, index) => index));
  closeSync(fd);
});

test('a warning is written when the call returns, and what came before it too', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'log');
  const fd = openSync(file, 'a');
  const log = openLog({ logLevel: 'info' }, fd);
  log.info('routine');
  expect(readFileSync(file, 'utf8')).toBe('');
  log.warn('urgent');
  expect(linesOf(readFileSync(file, 'utf8')).map(({ msg }) => msg)).toEqual(['routine', 'urgent']);
  closeSync(fd);
});

test('a reader that stops costs nobody a wait and bounded memory; afterwards the log says how many lines it lacks', async () => {
  await using folder = await temporaryFolder();
  const pipe = join(folder.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const log = openLog({ logLevel: 'info' }, fd);
  const padding = 'x'.repeat(1000);
  const sent = 8000;
  for (let index = 0; index < sent; index++) {
    log.info({ index, padding }, 'routine');
    if (index % 1000 === 0) await new Promise(setImmediate);
  }
  let text = '';
  const chunk = Buffer.alloc(1 << 16);
  await eventually(() => {
    try {
      for (;;) text += chunk.toString('latin1', 0, readSync(fd, chunk));
    } catch {
      // Empty for now.
    }
    return text.includes('were dropped') && text.endsWith('\n');
  });
  const lines = linesOf(text);
  const last = lines.at(-1);
  expect(last).toMatchObject({ level: 40, msg: 'lines were dropped: the log is read too slowly' });
  const routine = lines.filter(({ msg }) => msg === 'routine');
  expect(routine.length + (last?.lines ?? 0)).toBe(sent);
  expect(routine.map(({ index }) => index)).toEqual(Array.from(routine, (_, index) => index));
  closeSync(fd);
});

test('a routine line is the same whether pino writes it or not, and as silent', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'log');
  const fd = openSync(file, 'a');
  const log = openLog({ logLevel: 'info' }, fd);
  const write = routineLines(log, 'request');
  const fields = { model: 'a"b\\c', total_ms: 1.204, code: undefined, key: 'ü' };
  write(fields);
  log.info(fields, 'request');
  log.level = 'warn';
  write(fields);
  log.warn('end');
  const [ours = '', pinos = '', end = ''] = readFileSync(file, 'utf8').split('\n');
  const timeless = (line: string): string => line.replace(/"time":[0-9]{13}/, '"time":0');
  expect(timeless(ours)).toBe(timeless(pinos));
  expect(end).toContain('"msg":"end"');
  closeSync(fd);
});

test('a log of somebody else’s writes routine lines itself', () => {
  const lines: string[] = [];
  const log = pino(
    { formatters: { level: (label) => ({ severity: label }) } },
    { write: (line) => lines.push(line) },
  );
  routineLines(log, 'request')({ model: 'digits' });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ severity: 'info', model: 'digits', msg: 'request' });
});
