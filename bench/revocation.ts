/** How long a revoked key still opens: three gateways with their keys in one Redis, and one with its keys in a file, each a process of its own. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findRedis, startRedis } from '../test/servers/redis-server.ts';
import { keysYaml } from '../test/gateway/keys-yaml.ts';
import { temporaryFolder } from '../test/models/temporary-folder.ts';
import { createKey } from '../gateway/trust/api-key.ts';
import { ROOT, startReplica, timesText } from './replica-process.ts';
import type { ReplicaProcess } from './replica-process.ts';
import { print } from './report.ts';

const REPLICAS = 3;
const revocations = Number(process.argv[2] ?? 50);
const BASE =
  `listen: { http: 127.0.0.1:0, admin: 127.0.0.1:0 }\nmodels: { repository: ${join(ROOT, 'demo/models')} }\n` +
  'telemetry: { logs: { level: error } }\n';

async function isOpen({ http }: ReplicaProcess, key: string): Promise<boolean> {
  const response = await fetch(`http://${http}/v2/models/digits`, { headers: { 'x-api-key': key } });
  await response.arrayBuffer();
  return response.status === 200;
}

/** @returns when the key was first seen to open, or not to open any more */
async function seenAt(replica: ReplicaProcess, key: string, wanted: boolean): Promise<number> {
  while ((await isOpen(replica, key)) !== wanted);
  return performance.now();
}

async function ask(method: string, url: string, key: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: { 'x-api-key': key },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${url} was answered with ${response.status}`);
  return response.json();
}

async function inRedis(): Promise<readonly number[]> {
  const found = await findRedis();
  if (found.kind === 'missing') throw new Error(found.reason);
  await using redis = await startRedis(found.program);
  await using folder = await temporaryFolder({
    'signalbox.yaml': `${BASE}state: ${redis.url}\nauth: { keys: state }\n`,
  });
  const config = ['--config', join(folder.path, 'signalbox.yaml')];
  const create = ['keys', 'create', '--name', 'root', '--scopes', 'infer,admin:write', ...config];
  const { stdout } = await promisify(execFile)(process.execPath, ['gateway/cli/main.ts', ...create], {
    cwd: ROOT,
  });
  const root = /\bsb_\w+_[\w-]{43}/.exec(stdout)?.[0] ?? '';
  await using processes = new AsyncDisposableStack();
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(folder.path)));
  for (const replica of replicas) processes.use(replica);
  const times: number[] = [];
  for (let count = 0; count < revocations; count++) {
    const asked = replicas[count % REPLICAS];
    if (asked === undefined) break;
    const keys = `http://${asked.admin}/api/keys`;
    const wish = { name: `key ${count}`, scopes: ['infer'] };
    const { id, key } = (await ask('POST', keys, root, wish)) as { id: string; key: string };
    await Promise.all(replicas.map((replica) => seenAt(replica, key, true)));
    const startMs = performance.now();
    await ask('DELETE', `${keys}/${id}`, root);
    const seen = await Promise.all(replicas.map((replica) => seenAt(replica, key, false)));
    times.push(Math.max(...seen) - startMs);
  }
  return times;
}

async function inFile(): Promise<readonly number[]> {
  const [stays, goes] = [createKey(), createKey()];
  const without = keysYaml([stays, 'scopes: [infer]']);
  const both = keysYaml([stays, 'scopes: [infer]'], [goes, 'scopes: [infer]']);
  await using folder = await temporaryFolder({
    'signalbox.yaml': `${BASE}auth: { keys: ./keys.yaml }\n`,
    'keys.yaml': both,
  });
  await using replica = await startReplica(folder.path);
  const file = join(folder.path, 'keys.yaml');
  const times: number[] = [];
  for (let count = 0; count < revocations; count++) {
    await writeFile(file, both);
    await seenAt(replica, goes.text, true);
    const startMs = performance.now();
    await writeFile(file, without);
    times.push((await seenAt(replica, goes.text, false)) - startMs);
  }
  return times;
}

const count = `${revocations} revocations`;
print(
  `in Redis, refused by all replicas, ms after the command was sent: ${timesText(await inRedis())} (${count}, ${REPLICAS} replicas)`,
);
print(`in a file, refused, ms after it was written: ${timesText(await inFile())} (${count})`);
