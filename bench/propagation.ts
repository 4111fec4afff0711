/** How long a change of weights takes to be in force on every replica: three gateways on one Redis, each a process of its own. */
import { join } from 'node:path';
import { findRedis, startRedis } from '../test/servers/redis-server.ts';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { ROOT, startReplica, timesText } from './replica-process.ts';
import type { ReplicaProcess } from './replica-process.ts';
import { print } from './report.ts';

const REPLICAS = 3;
const changes = Number(process.argv[2] ?? 200);

const EXPERIMENT = `key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 50 }, { name: v2, version: 2, weight: 50 }]
`;

async function versionAt({ admin }: ReplicaProcess): Promise<number> {
  const response = await fetch(`http://${admin}/api/experiments/digits-cnn`);
  return ((await response.json()) as { weightsVersion: number }).weightsVersion;
}

/** @returns when the replica was first seen at the version */
async function seenAt(replica: ReplicaProcess, version: number): Promise<number> {
  while ((await versionAt(replica)) < version);
  return performance.now();
}

const found = await findRedis();
if (found.kind === 'missing') throw new Error(found.reason);
await using redis = await startRedis(found.program);
await using folder = await temporaryFolder({
  'experiments/digits.yaml': EXPERIMENT,
  'signalbox.yaml':
    `listen: { http: 127.0.0.1:0, admin: 127.0.0.1:0 }\nmodels: { repository: ${join(ROOT, 'demo/models')} }\nexperiments: ./experiments\n` +
    `state: ${redis.url}\ntelemetry: { logs: { level: error } }\n`,
});
await using processes = new AsyncDisposableStack();
const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(folder.path)));
for (const replica of replicas) processes.use(replica);
const [acknowledged, everywhere]: [number[], number[]] = [[], []];
for (let count = 0; count < changes; count++) {
  const asked = replicas[count % REPLICAS];
  if (asked === undefined) break;
  const startMs = performance.now();
  const response = await fetch(
    `http://${asked.admin}/api/experiments/digits-cnn/${count % 2 === 0 ? 'promote' : 'rollback'}`,
    { method: 'POST', body: JSON.stringify({ reason: `change ${count}` }) },
  );
  const { weightsVersion } = (await response.json()) as { weightsVersion: number };
  acknowledged.push(performance.now() - startMs);
  const seen = await Promise.all(replicas.map((replica) => seenAt(replica, weightsVersion)));
  everywhere.push(Math.max(...seen) - startMs);
}
for (const [name, times] of [
  ['acknowledged', acknowledged],
  ['in force on all replicas', everywhere],
] as const)
  print(
    `${name}, ms after the command was sent: ${timesText(times)} (${changes} changes, ${REPLICAS} replicas)`,
  );
