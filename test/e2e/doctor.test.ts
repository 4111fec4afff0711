import { join } from 'node:path';
import { expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { connectRedis } from '../../experiments/stores/redis-connection.ts';
import { eventually } from '../gateway/running-gateway.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { freePort } from '../servers/free-port.ts';
import { findRedis, startRedis } from '../servers/redis-server.ts';
import { signalbox } from './cli.ts';

test('the doctor tells versions, the machine, and why what does not work does not', async () => {
  await using doctor = signalbox('doctor');
  expect(await doctor.ended).toBe(0);
  const text = doctor.stdout();
  expect(text).toContain(`onnxruntime  ${packageJson.dependencies['onnxruntime-node']}`);
  expect(text).toMatch(/^\w+ \w+, \d+ cores, [\d.]+ GiB of memory/m);
  expect(text).toMatch(/^cpu +yes +cpu$/m);
  for (const provider of ['webgpu', 'cuda', 'tensorrt']) {
    expect(text).toMatch(new RegExp(`^${provider} +(yes +${provider}|no +\\S.{10,})`, 'm'));
  }
});

const found = await findRedis();

test('with a configuration it looks at the state store: one that is not there is a problem, and no password is shown', async () => {
  const port = await freePort();
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\n' +
      `state: redis://somebody:hunter2@127.0.0.1:${port}/0\n`,
  });
  await using doctor = signalbox('doctor', '--config', join(folder.path, 'signalbox.yaml'));
  expect(await doctor.ended).toBe(1);
  expect(doctor.stdout()).toMatch(/^state redis:\/\/somebody:\[redacted\]@.*\n {2}problem: .*ECONNREFUSED/m);
  expect(doctor.stdout()).not.toContain('hunter2');
});

test.skipIf(found.kind === 'missing')(
  'a Redis that would take the state away is a problem until its policy is another',
  async () => {
    const bound = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru', '--appendonly', 'no'];
    await using redis = await startRedis(found.kind === 'found' ? found.program : '', bound);
    await using folder = await temporaryFolder({
      'signalbox.yaml': `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\nstate: ${redis.url}\n`,
    });
    const look = async () => {
      await using doctor = signalbox('doctor', '--json', '--config', join(folder.path, 'signalbox.yaml'));
      const exitCode = await doctor.ended;
      return { exitCode, ...(JSON.parse(doctor.stdout()) as { readonly state: object }) };
    };
    expect(await look()).toMatchObject({
      exitCode: 1,
      state: {
        store: redis.url,
        problems: [expect.stringContaining('(maxmemory-policy allkeys-lru)')],
        warnings: [expect.stringContaining('set appendonly yes')],
      },
    });
    const client = connectRedis(redis.url);
    await eventually(() => client.status === 'ready');
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await client.call('CONFIG', 'SET', 'appendonly', 'yes');
    client.disconnect();
    expect(await look()).toMatchObject({ exitCode: 0, state: { problems: [], warnings: [] } });
  },
);

test('--json tells the same to machines', async () => {
  await using doctor = signalbox('doctor', '--json');
  expect(await doctor.ended).toBe(0);
  expect(JSON.parse(doctor.stdout())).toMatchObject({
    versions: { signalbox: packageJson.version, node: process.versions.node },
    machine: { platform: `${process.platform} ${process.arch}` },
    providers: [{ name: 'cpu', works: true }, { name: 'webgpu' }, { name: 'cuda' }, { name: 'tensorrt' }],
  });
});
