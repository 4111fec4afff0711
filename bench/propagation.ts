/** How long a change of weights takes to be in force on every replica: three gateways on one Redis, each a process of its own. */
import { mkdtemp, rm, symlink, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { findRedis, startRedis } from '../test/servers/redis-server.ts';

const REPLICAS = 3;
const changes = Number(process.argv[2] ?? 200);
const root = fileURLToPath(new URL('..', import.meta.url));

const EXPERIMENT = `key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 50 }, { name: v2, version: 2, weight: 50 }]
`;

interface Replica {
  readonly child: ChildProcess;
  readonly admin: string;
}

async function startReplica(folder: string): Promise<Replica> {
  const config = join(folder, 'signalbox.yaml');
  const args = ['gateway/cli/main.ts', 'serve', '--no-supervisor', '--config', config];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const admin = /admin=(\S+)/.exec(line)?.[1];
    if (admin !== undefined) return { child, admin };
  }
  throw new Error('a gateway ended before it was ready');
}

const agent = { headers: { 'content-type': 'application/json' } };

async function versionAt({ admin }: Replica): Promise<number> {
  const response = await fetch(`http://${admin}/api/experiments/digits-cnn`);
  return ((await response.json()) as { weightsVersion: number }).weightsVersion;
}

/** @returns when the replica was first seen at the version */
async function seenAt(replica: Replica, version: number): Promise<number> {
  while ((await versionAt(replica)) < version);
  return performance.now();
}

function quantile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
}

const found = await findRedis();
if (found.kind === 'missing') throw new Error(found.reason);
await using redis = await startRedis(found.program);
const folder = await mkdtemp(join(tmpdir(), 'signalbox-propagation-'));
await mkdir(join(folder, 'experiments'));
await symlink(join(root, 'demo/models'), join(folder, 'models'));
await writeFile(join(folder, 'experiments/digits.yaml'), EXPERIMENT);
await writeFile(
  join(folder, 'signalbox.yaml'),
  `listen: { http: 127.0.0.1:0, admin: 127.0.0.1:0 }\nmodels: { repository: ./models }\nexperiments: ./experiments\n` +
    `state: ${redis.url}\ntelemetry: { logs: { level: error } }\n`,
);
const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(folder)));
try {
  const [acknowledged, everywhere]: [number[], number[]] = [[], []];
  for (let count = 0; count < changes; count++) {
    const asked = replicas[count % REPLICAS];
    if (asked === undefined) break;
    const startMs = performance.now();
    const response = await fetch(
      `http://${asked.admin}/api/experiments/digits-cnn/${count % 2 === 0 ? 'promote' : 'rollback'}`,
      {
        method: 'POST',
        ...agent,
        body: JSON.stringify({ reason: `change ${count}` }),
      },
    );
    const { weightsVersion } = (await response.json()) as { weightsVersion: number };
    acknowledged.push(performance.now() - startMs);
    const seen = await Promise.all(replicas.map((replica) => seenAt(replica, weightsVersion)));
    everywhere.push(Math.max(...seen) - startMs);
  }
  for (const [name, times] of [
    ['acknowledged', acknowledged],
    ['in force on all replicas', everywhere],
  ] as const) {
    const sorted = times.toSorted((a, b) => a - b);
    process.stdout.write(
      `${name}, ms after the command was sent: p50 ${quantile(sorted, 0.5)}, p99 ${quantile(sorted, 0.99)}, most ${quantile(sorted, 1)} (${changes} changes, ${REPLICAS} replicas)\n`,
    );
  }
} finally {
  for (const { child } of replicas) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true });
}
