/**
 * `npm run bench:newcomer`: how long somebody who has never seen the project waits from the clone to the first prediction, to the first experiment's
 * verdict and to a rollback. The README's own commands, in an empty folder, with an empty npm cache, on the demo's own ports.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Terminal } from '../test/docs/terminal.ts';
import { print } from './report.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 600_000;
const PREDICT = '-F file=@demo/images/0001.png http://127.0.0.1:8000/predict';

const folder = await mkdtemp(join(tmpdir(), 'signalbox-newcomer-'));
try {
  const notes = join(folder, 'notes');
  await mkdir(notes);
  const own = Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_/.test(name));
  const path = (process.env.PATH ?? '').split(':').filter((entry) => !entry.includes('node_modules'));
  const env = { ...Object.fromEntries(own), PATH: path.join(':'), npm_config_cache: join(folder, 'npm') };
  await using terminal = new Terminal(folder, notes, env);
  const startMs = performance.now();
  let lastMs = startMs;
  const tell = (what: string): void => {
    const nowMs = performance.now();
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(10);
    print(`  ${what.padEnd(44)}${seconds(nowMs - lastMs)}${seconds(nowMs - startMs)}`);
    lastMs = nowMs;
  };
  const run = async (what: string, commands: string): Promise<string> => {
    const { exitCode, failed, printed } = await terminal.run(commands, TIMEOUT_MS);
    if (exitCode !== 0) throw new Error(`\`${failed}\` ended with ${exitCode}:\n${printed}`);
    tell(what);
    return printed;
  };
  print(`  ${''.padEnd(44)}${'step'.padStart(10)}${'since'.padStart(10)}`);
  await run('git clone', `git clone -q ${ROOT} signalbox && cd signalbox`);
  await run('npm ci, empty cache', 'npm ci');
  await terminal.start('npm start', 'ready http=', TIMEOUT_MS);
  tell('npm start: ready');
  await run('first prediction', `curl -sf -H 'X-User-Id: ada' ${PREDICT}`);
  const verdict = await run('first verdict (30,000 users)', 'npx signalbox demo traffic');
  await run('promoted', `npx signalbox promote digits-cnn --reason "better"`);
  const rolledBack = await run(
    'rolled back, seen in an answer',
    `npx signalbox rollback digits-cnn --reason "trying it" >/dev/null; curl -sf -o /dev/null -w '%header{x-experiment}' -H 'X-User-Id: ada' ${PREDICT}`,
  );
  print();
  print(
    `the verdict was "${verdict.trim().split('\n').at(-1) ?? ''}", the answer after the rollback ${rolledBack}`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
