import { execFile } from 'node:child_process';
import { access, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { blocksOfPage } from '../docs/pages.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { ROOT, run } from './cli.ts';

const execute = promisify(execFile);

/** Its types as somebody sees them who has no sources: what may be left out, and what is refused. */
const TYPED = `
import { InvalidDocuments, createGateway } from 'signalbox';
import type { Bound, EmbeddedGateway, GatewayOptions, Problem } from 'signalbox';

const options: GatewayOptions = { config: 'signalbox.yaml', environment: process.env };
export async function start(): Promise<EmbeddedGateway> {
  const gateway = await createGateway(options);
  const bound: Bound = gateway.bound;
  const address: string | undefined = bound.admin;
  const clean: boolean = await gateway.stop(1000);
  console.log(address, clean, gateway.isReady satisfies boolean);
  return gateway;
}
export const problemsOf = (error: unknown): readonly Problem[] =>
  error instanceof InvalidDocuments ? error.problems : [];
// @ts-expect-error a path is asked for
export const wrongPath = createGateway({ config: 1 });
// @ts-expect-error a plane that there is none of
export const wrongPlane = (gateway: EmbeddedGateway) => gateway.bound.console;
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
  // A consumer in TypeScript has the last one for its own code.
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    const link = join(project, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), link);
  }
}

test('the packed package, in an empty project, serves and can be embedded, with types', async () => {
  await using folder = await temporaryFolder({
    'package.json': '{ "type": "module", "private": true }',
    'signalbox.yaml': CONFIG,
    'typed.ts': TYPED,
  });
  // The program is the one of the page.
  for (const { words, text } of await blocksOfPage('docs/embedding.md')) {
    const file = words.get('file');
    if (file !== undefined) await folder.write({ [file]: text });
  }
  // As a demo that ran leaves it.
  const left = join(ROOT, 'demo/left-by-a-run.jsonl');
  await writeFile(left, '{}\n');
  // What `npm run package` does, but for the types of the source, which the check has checked.
  await execute('npm', ['run', 'build', '--', '--noCheck'], { cwd: ROOT }).finally(() => rm(left));
  await execute('npm', ['pack', '--pack-destination', folder.path], { cwd: ROOT });
  await install(folder.path);
  expect((await readdir(join(folder.path, 'node_modules/signalbox/dist/demo'))).sort()).toEqual([
    'ensembles',
    'experiments',
    'hints.txt',
    'images',
    'models',
    'signalbox.yaml',
  ]);
  // docs/systemd.md installs it from there.
  await access(join(folder.path, 'node_modules/signalbox/deploy/systemd/signalbox.service'));
  // `signalbox observe` gives it to Prometheus.
  await access(join(folder.path, 'node_modules/signalbox/dist/dashboards/prometheus/rules.yaml'));

  const embedding = (): ReturnType<typeof execute> =>
    execute(process.execPath, ['gateway.js'], { cwd: folder.path });
  const { stdout } = await embedding();
  expect(stdout).toMatch(/^true \{\s+name: 'digits',/);
  expect(stdout).toMatch(/\nall answered: true\n$/);
  await folder.write({ 'signalbox.yaml': `${CONFIG}lisen: {}\n` });
  await expect(embedding()).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^\S*signalbox\.yaml:\d+:\d+: lisen: /) as string,
  });
  await folder.write({ 'signalbox.yaml': CONFIG });

  const compile = join(ROOT, 'node_modules/typescript/bin/tsc');
  for (const resolution of [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    const options = ['--noEmit', '--strict', '--target', 'es2024', '--types', 'node', ...resolution];
    const typed = execute(process.execPath, [compile, ...options, 'typed.ts'], { cwd: folder.path });
    await expect(typed, resolution.join(' ')).resolves.toMatchObject({ stdout: '' });
  }

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
