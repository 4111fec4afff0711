/** `npm run prove:rolling`: what users notice of a rolling restart, scaling, a kill and a drain, behind nginx. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { findServer } from '../../test/servers/debian-server.ts';
import { findRedis, startRedis } from '../../test/servers/redis-server.ts';
import { print } from '../report.ts';
import { WHOLE_PLAN, prove } from './prove.ts';

const REQUESTS = 20_000;

const [redisServer, nginx] = [await findRedis(), await findServer('nginx', 'nginx-light')];
if (redisServer.kind === 'missing') throw new Error(redisServer.reason);
if (nginx.kind === 'missing') throw new Error(nginx.reason);
await using redis = await startRedis(redisServer.program);
const folder = await mkdtemp(join(tmpdir(), 'signalbox-rolling-'));
try {
  const { steps, expected, found, errors, reloads } = await prove({
    folder,
    nginx: nginx.program,
    redisUrl: redis.url,
    replicas: 3,
    plan: WHOLE_PLAN,
    requestsPerStep: Math.ceil(REQUESTS / WHOLE_PLAN.length),
    users: 4_000,
    concurrency: 8,
  });
  print(row('step', 'replicas after', 'seconds', 'requests', 'failed', 'moved', 'longest'));
  for (const { name, replicas, seconds, requests, failed, moved, longestMs } of steps) {
    const figures = [replicas, seconds.toFixed(1), requests, failed, moved, `${longestMs.toFixed(0)} ms`];
    print(row(name, ...figures.map(String)));
  }
  const sum = (of: 'requests' | 'failed' | 'moved'): number =>
    steps.reduce((total, step) => total + step[of], 0);
  print(row('all', '', '', String(sum('requests')), String(sum('failed')), String(sum('moved')), ''));
  print();
  const isWhole = isDeepStrictEqual(found, expected);
  print(
    `results ${isWhole ? 'whole' : 'NOT WHOLE'}: ${JSON.stringify(found)}${isWhole ? '' : `, expected ${JSON.stringify(expected)}`}`,
  );
  print(`nginx was reloaded ${reloads} times`);
  for (const error of errors) print(`failure: ${error}`);
  if (!isWhole || sum('failed') + sum('moved') > 0) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true });
}

function row(step: string, ...columns: readonly string[]): string {
  return step.padEnd(22) + columns.map((column) => column.padStart(15)).join('');
}
