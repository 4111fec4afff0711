import { execFile } from 'node:child_process';
import { access, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { ROOT, run } from './cli.ts';

const execute = promisify(execFile);

/** Another project's program that runs a gateway inside itself. */
const EMBEDDING = `
import { createGateway } from 'signalbox';
const gateway = await createGateway({ config: 'signalbox.yaml' });
const answer = await fetch('http://' + gateway.bound.http + '/v2/models/digits');
console.log(JSON.stringify({ ready: gateway.isReady, metadata: await answer.json() }));
console.log(await gateway.stop());
`;

const CONFIG = `
listen: { http: 127.0.0.1:0 }
models: { repository: ./node_modules/signalbox/dist/demo/models }
`;

/** As npm would, but with this clone's dependencies instead of half a gigabyte of fresh ones. */
async function install(project: string): Promise<void> {
  const { version, dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const installed = join(project, 'node_modules/signalbox');
  await mkdir(installed, { recursive: true });
  await execute('tar', ['xzf', join(project, `signalbox-${version}.tgz`), '--strip-components=1'], {
    cwd: installed,
  });
  for (const name of Object.keys(dependencies)) {
    const link = join(project, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link);
  }
}

test('the packed package, in an empty project, serves and can be embedded, with types', async () => {
  await using folder = await temporaryFolder({
    'package.json': '{ "type": "module", "private": true }',
    'signalbox.yaml': CONFIG,
    'embedding.js': EMBEDDING,
    'typed.ts': `import { createGateway } from 'signalbox';\nexport const bad: number = createGateway;\n`,
  });
  // What `npm run package` does, but for the types of the source, which the check has checked.
  await execute('npm', ['run', 'build', '--', '--noCheck'], { cwd: ROOT });
  await execute('npm', ['pack', '--pack-destination', folder.path], { cwd: ROOT });
  await install(folder.path);
  // docs/systemd.md installs it from there.
  await access(join(folder.path, 'node_modules/signalbox/deploy/systemd/signalbox.service'));
  // `signalbox observe` gives it to Prometheus.
  await access(join(folder.path, 'node_modules/signalbox/dist/dashboards/prometheus/rules.yaml'));

  const { stdout } = await execute(process.execPath, ['embedding.js'], { cwd: folder.path });
  const [described = '', stopped] = stdout.split('\n');
  expect(JSON.parse(described)).toMatchObject({ ready: true, metadata: { name: 'digits' } });
  expect(stopped).toBe('true');

  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '--module', 'nodenext', 'typed.ts'];
  const types = await execute(process.execPath, tsc, { cwd: folder.path }).catch((error: unknown) => error);
  expect(String((types as { stdout?: string }).stdout)).toMatch(/Type '.*createGateway|GatewayOptions/);

  await using serving = run(process.execPath, [
    join(folder.path, 'node_modules/signalbox/bin/signalbox.js'),
    'serve',
    '--config',
    join(folder.path, 'signalbox.yaml'),
  ]);
  const { http = '', pid = '' } = await serving.ready();
  expect((await fetch(`http://${http}/health`)).status).toBe(200);
  process.kill(Number(pid), 'SIGINT');
  expect(await serving.ended).toBe(0);
}, 600_000);
