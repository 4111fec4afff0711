import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConfigSchema } from '../../gateway/config/schema.ts';
import { RELEASE } from '../../gateway/release.ts';
import { nodeFlags } from '../../gateway/supervisor/node-flags.ts';
import { childOf } from '../chaos/supervised.ts';
import { DEMO_FOLDER, eventually, experimentFile } from '../gateway/running-gateway.ts';
import { identityModel, slowModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { ROOT, run, signalbox } from './cli.ts';

const DEMO_MODELS = join(DEMO_FOLDER, 'models');

function config(repository: string): string {
  return (
    'listen: { http: "127.0.0.1:0", grpc: "127.0.0.1:0", metrics: "127.0.0.1:0" }\n' +
    `models: { repository: ${repository} }\nexperiments: ./experiments\n`
  );
}

function demoLikeFolder() {
  return temporaryFolder({
    'signalbox.yaml': config(DEMO_MODELS),
    'experiments/digits.yaml': experimentFile(),
  });
}

describe('signalbox serve', () => {
  test('prints one ready line with its real ports, and SIGTERM ends it with 0', async () => {
    await using folder = await demoLikeFolder();
    await using server = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
    const ready = await server.ready();
    expect(server.stdout()).toMatch(
      /^ready http=127\.0\.0\.1:\d+ grpc=127\.0\.0\.1:\d+ metrics=127\.0\.0\.1:\d+ pid=\d+\n$/,
    );
    expect(Number(ready.pid)).toBe(server.child.pid);
    expect((await fetch(`http://${ready.http ?? ''}/v2/health/ready`)).status).toBe(200);
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    expect(server.stdout().split('\n')).toHaveLength(2);
  });

  test.runIf(process.platform === 'linux')('the process that serves has the flags that suit it', async () => {
    await using folder = await demoLikeFolder();
    await using server = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
    await server.ready();
    const serving = await childOf(Number(server.child.pid));
    const command = (await readFile(`/proc/${serving}/cmdline`, 'utf8')).split('\0');
    expect(command).toEqual(expect.arrayContaining([...nodeFlags(availableParallelism(), [])]));
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s to `npm start` reaches the gateway, which ends with 0',
    async (signal) => {
      await using folder = await demoLikeFolder();
      await using server = run('npm', ['start', '--', '--config', join(folder.path, 'signalbox.yaml')]);
      const ready = await server.ready();
      server.child.kill(signal);
      expect(await server.ended).toBe(0);
      await expect(fetch(`http://${ready.http ?? ''}/v2/health/live`)).rejects.toThrow();
    },
  );

  test('SIGTERM while it still loads a model ends it with 0, and without a word of readiness', async () => {
    const warmup =
      'model_warmup: [{ name: w, batch_size: 1, inputs: { INPUT: { data_type: TYPE_FP32, dims: [1], zero_data: true } } }]\n';
    await using folder = await temporaryFolder({
      'signalbox.yaml': 'listen: { http: "127.0.0.1:0" }\nmodels: { repository: ./models }\n',
      'models/a-quick/1/model.onnx': identityModel(),
      'models/slow/1/model.onnx': slowModel(20_000),
      'models/slow/config.yaml': warmup,
    });
    await using server = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
    await eventually(() => server.stderr().includes('version ready'));
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    expect(server.stdout()).toBe('');
    expect(server.stderr()).not.toContain('Warning');
  });

  test('stopping fails readiness first, answers what is in flight, and takes no new connection', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml': config('./models') + 'timeouts: { grace: 2s }\n',
      'models/slow/1/model.onnx': slowModel(),
      'experiments/README': '',
    });
    await using server = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
    const { http = '' } = await server.ready();
    const ready = async () => (await fetch(`http://${http}/v2/health/ready`)).status;
    expect(await ready()).toBe(200);
    const infer = () => {
      const inputs = [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }];
      return fetch(`http://${http}/v2/models/slow/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs }),
      });
    };
    const before = infer();
    server.child.kill('SIGTERM');
    await eventually(async () => (await ready()) === 503);
    const during = infer();
    expect([(await before).status, (await during).status]).toEqual([200, 200]);
    expect(await server.ended).toBe(0);
    await expect(ready()).rejects.toThrow();
  });

  test('a bad configuration is told whole, with file, line and column, and ends with 1', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml':
        'listen: { http: 8000 }\nmodels: { repository: ./models, contorl: poll }\nsecrets: x\n',
    });
    const file = join(folder.path, 'signalbox.yaml');
    await using server = signalbox('serve', '--config', file);
    expect(await server.ended).toBe(1);
    expect(server.stderr()).toBe(
      `${file}:1:17: listen.http: is 8000; expected an address as 127.0.0.1:8000 or [::1]:8000; port 0 takes a free one\n` +
        `${file}:2:42: models.contorl: is an unknown key; known here: repository, control, load, defaultModel, allowedUrls\n` +
        `${file}:3:10: secrets: is an unknown key; known here: ${Object.keys(ConfigSchema.properties).join(', ')}\n` +
        '3 problems; nothing was started\n',
    );
  });

  test('a bad experiment is told by the process that serves, once, and ends with 1', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml': config(DEMO_MODELS),
      'experiments/digits.yaml': experimentFile({ model: 'nobody' }),
    });
    await using server = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
    expect(await server.ended).toBe(1);
    expect(server.stderr()).toMatch(
      /digits\.yaml:\d+:\d+: model: .*nobody.*\n1 problem; nothing was started\n$/,
    );
    expect(server.stdout()).toBe('');
  });

  test('--no-supervisor serves in the one process that was started', async () => {
    await using folder = await demoLikeFolder();
    const file = join(folder.path, 'signalbox.yaml');
    await using server = signalbox('serve', '--no-supervisor', '--config', file);
    const { pid, http = '' } = await server.ready();
    expect(Number(pid)).toBe(server.child.pid);
    expect((await fetch(`http://${http}/v2/health/ready`)).status).toBe(200);
    server.child.kill('SIGSEGV');
    expect(await server.ended).toBe('SIGSEGV');
    await expect(fetch(`http://${http}/v2/health/live`)).rejects.toThrow();
  });

  test('a port that is taken is told, and ends with 1', async () => {
    await using folder = await demoLikeFolder();
    await using first = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
    const { http = '' } = await first.ready();
    await folder.write({
      'taken.yaml': `listen: { http: "${http}" }\nmodels: { repository: ${DEMO_MODELS} }\n`,
    });
    await using second = signalbox('serve', '--config', join(folder.path, 'taken.yaml'));
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toContain(`EADDRINUSE`);
  });

  test.each([
    [['sevre'], "unknown command 'sevre'"],
    [['serve', '--prot', '80'], "unknown option '--prot'"],
    [['demo', 'traffic', '--users', 'many'], 'expected a whole number above 0'],
  ])('%j is wrong usage: 2', async (args, message) => {
    await using command = signalbox(...args);
    expect(await command.ended).toBe(2);
    expect(command.stderr()).toContain(message);
  });
});

describe('the demo', () => {
  test('the commands that it prints work when they are pasted, and its traffic shows the split', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml':
        'listen: { http: "127.0.0.1:0", metrics: "127.0.0.1:0" }\n' +
        `models: { repository: ${DEMO_MODELS} }\nexperiments: ${join(DEMO_FOLDER, 'experiments')}\n`,
    });
    await using server = signalbox('serve', '--demo', '--config', join(folder.path, 'signalbox.yaml'));
    const { http = '', metrics = '' } = await server.ready();

    // The demo's own addresses are fixed, so the text is tried against this gateway's.
    const { renderDemoHints } = await import('../../gateway/cli/demo-hints.ts');
    const commands = (await renderDemoHints({ http, metrics }))
      .split('\n')
      .filter((line) => line.startsWith('  curl'));
    expect(commands).toHaveLength(3);
    const printed: { stdout: string }[] = [];
    for (const command of commands) printed.push(await promisify(execFile)('sh', ['-c', command]));
    expect(printed[0]?.stdout).toMatch(/HTTP\/1\.1 200 OK[^]*x-experiment: digits-cnn=v\d[^]*"label":"zero"/);
    expect(printed[1]?.stdout).toMatch(/x-experiment: digits-cnn=v2[^]*x-experiment-reason: override/);
    expect(printed[2]?.stdout).toContain('signalbox_requests_total{model="digits"');

    const args = [
      'demo',
      'traffic',
      '--url',
      `http://${http}`,
      '--requests',
      '1000',
      '--users',
      '500',
      '--json',
    ];
    await using traffic = signalbox(...args);
    expect(await traffic.ended).toBe(0);
    const summary = JSON.parse(traffic.stdout()) as {
      sent: number;
      failed: number;
      variants: { name: string; users: number; accuracy: number }[];
    };
    expect(summary).toMatchObject({ sent: 1000, failed: 0 });
    expect(summary.variants.map(({ name }) => name)).toEqual(['digits-cnn=v1', 'digits-cnn=v2']);
    expect(summary.variants.reduce((sum, { users }) => sum + users, 0)).toBe(500);
    for (const { accuracy } of summary.variants) expect(accuracy).toBeGreaterThan(0.9);
  });

  test('traffic with no gateway says how to start one', async () => {
    await using traffic = signalbox('demo', 'traffic', '--url', 'http://127.0.0.1:9');
    expect(await traffic.ended).toBe(1);
    expect(traffic.stderr()).toBe(
      'no gateway answers at http://127.0.0.1:9; start one with `npm start`, or name another with --url\n',
    );
  });
});

describe('signalbox validate', () => {
  test('a good configuration is summed up, with 0', async () => {
    await using command = signalbox('validate', join(DEMO_FOLDER, 'signalbox.yaml'));
    expect(await command.ended).toBe(0);
    expect(command.stdout()).toBe(
      'model digit-label: versions 1\nmodel digit-pixels: versions 1\nmodel digits: versions 1, 2\nmodel read-digit: versions 1\n' +
        'experiment digits-cnn: running, on model digits\nno problems\n',
    );
  });

  test('all problems of the models and the experiments are told at once, with 1', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml': config('./models'),
      'models/digits/1/model.onnx': 'x',
      'models/digits/config.yaml': 'max_batch_size: many\n',
      'models/faces/3/README': '',
      'models/text/1/model.onnx': 'this is not ONNX',
      'models/warned/1/model.onnx': identityModel(),
      'models/warned/config.pbtxt': 'max_batch_size: 4\nruntime: "x"\n',
      'experiments/a.yaml': experimentFile(),
      'experiments/b.yaml':
        'key: b\nmodel: nobody\nstatus: running\ncontrol: x\nvariants: [{ name: x, version: 1, weight: 0 }]\n',
    });
    await using command = signalbox('validate', '--json', '--config', join(folder.path, 'signalbox.yaml'));
    expect(await command.ended).toBe(1);
    const { problems, warnings } = JSON.parse(command.stdout()) as {
      problems: { file: string; line: number; path: string }[];
      warnings: { line: number; path: string }[];
    };
    expect(warnings).toMatchObject([{ line: 2, path: 'runtime' }]);
    const places = problems.map(
      ({ file, line, path }) => `${file.slice(folder.path.length + 1)}:${line} ${path}`,
    );
    expect(places).toEqual([
      'models/digits/config.yaml:1 max_batch_size',
      'models/faces/3:0 ',
      'models/text/1/model.onnx:0 ',
      'experiments/a.yaml:14 variants[1].version',
      'experiments/b.yaml:2 model',
      'experiments/b.yaml:5 variants',
    ]);
  });

  test('variants that can’t take the same requests are told apart before any is sent, and a start refuses them alike', async () => {
    await using folder = await temporaryFolder({
      'signalbox.yaml': config('./models'),
      'models/digits/1/model.onnx': identityModel('FP32', ['batch', 64]),
      'models/digits/2/model.onnx': identityModel('FP32', ['batch', 8, 8]),
      'experiments/a.yaml': experimentFile(),
    });
    const file = join(folder.path, 'signalbox.yaml');
    const told =
      /a\.yaml:12:5: variants\[1\]: v2 takes INPUT FP32 \[-1, 8, 8\], and not INPUT FP32 \[-1, 64\], as v1 does: .*; expected a version with the inputs of the control/;
    await using validate = signalbox('validate', file);
    expect(await validate.ended).toBe(1);
    expect(validate.stdout()).toMatch(told);
    await using serve = signalbox('serve', '--config', file);
    expect(await serve.ended).toBe(1);
    expect(serve.stderr()).toMatch(told);
  });
});

test('npx signalbox runs the package’s own command', async () => {
  const { stdout } = await promisify(execFile)('npx', ['signalbox', '--version'], { cwd: ROOT });
  expect(stdout).toBe(`${RELEASE}\n`);
});
