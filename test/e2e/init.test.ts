import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEMO_FOLDER } from '../gateway/running-gateway.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { signalbox } from './cli.ts';

test('of what it writes only the model is missing; with it, it serves and runs its experiment', async () => {
  await using folder = await temporaryFolder();
  const project = join(folder.path, 'project');
  // Its input is no terminal, so it asks nothing.
  await using init = signalbox('init', project, '--model', 'digits');
  expect(await init.ended).toBe(0);
  expect(init.stdout()).toContain(`put a model at ${project}/models/digits/1/model.onnx`);
  await using empty = signalbox('validate', join(project, 'signalbox.yaml'));
  expect(await empty.ended).toBe(1);
  expect(empty.stdout()).toMatch(
    /model: is "digits", but the model repository has no model of that name\n1 problem\n$/,
  );

  await cp(join(DEMO_FOLDER, 'models/digits'), join(project, 'models/digits'), { recursive: true });
  const [config, experiment] = [join(project, 'signalbox.yaml'), join(project, 'experiments/digits.yaml')];
  const running = (await readFile(experiment, 'utf8')).replace('status: draft', 'status: running');
  const anywhere = (await readFile(config, 'utf8')).replaceAll(/127\.0\.0\.1:80\d\d/g, '127.0.0.1:0');
  await folder.write({ 'project/experiments/digits.yaml': running, 'project/signalbox.yaml': anywhere });
  await using serving = signalbox('serve', '--config', config);
  const { http = '' } = await serving.ready();
  const image = await readFile(join(DEMO_FOLDER, 'images/0001.png'));
  const answer = await fetch(`http://${http}/predict`, {
    method: 'POST',
    body: image,
    headers: { 'x-user-id': 'ada' },
  });
  expect(answer.headers.get('x-experiment')).toMatch(/^digits-v2=v[12]$/);
});

test('it overwrites nothing: with one file in the way it writes none', async () => {
  await using folder = await temporaryFolder({ 'experiments/example.yaml': 'mine\n' });
  await using init = signalbox('init', folder.path);
  expect(await init.ended).toBe(1);
  expect(init.stderr()).toBe(
    `${folder.path}/experiments/example.yaml: there already, and nothing was written; name another folder, or move it away\n`,
  );
  await expect(readFile(join(folder.path, 'signalbox.yaml'))).rejects.toThrow('ENOENT');
  expect(await readFile(join(folder.path, 'experiments/example.yaml'), 'utf8')).toBe('mine\n');
});

test('a file where a folder of its own belongs is in the way too, and nothing is written', async () => {
  await using folder = await temporaryFolder({ models: 'a file\n' });
  await using init = signalbox('init', folder.path);
  expect(await init.ended).toBe(1);
  expect(init.stderr()).toContain(`${folder.path}/models: there already, and nothing was written;`);
  await expect(readFile(join(folder.path, 'signalbox.yaml'))).rejects.toThrow('ENOENT');
});

test('--json tells what was written, and a name that is no name is wrong usage', async () => {
  await using folder = await temporaryFolder();
  await using init = signalbox('init', folder.path, '--json');
  expect(await init.ended).toBe(0);
  expect(JSON.parse(init.stdout())).toEqual({
    folder: folder.path,
    model: 'example',
    written: ['signalbox.yaml', 'experiments/example.yaml', 'models/README.md'],
  });
  await using wrong = signalbox('init', folder.path, '--model', '../up');
  expect(await wrong.ended).toBe(2);
  expect(wrong.stderr()).toContain('expected a name of a to z, 0 to 9 and -');
});
