import { access, readFile, readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { keysYaml } from '../gateway/keys-yaml.ts';
import { eventually, startGateway } from '../gateway/running-gateway.ts';
import { createKey } from '../../gateway/trust/api-key.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { addingModel } from '../models/small-models.ts';
import { findPrometheus } from '../servers/prometheus.ts';
import { freePort } from '../servers/free-port.ts';
import { run, signalbox } from './cli.ts';
import type { Running } from './cli.ts';

const MAIN = 'gateway/cli/main.ts';
const scraper = createKey();

test('observe says how to get Prometheus where it is missing', async () => {
  await using command = signalbox('observe', '--prometheus', 'no-such-prometheus');
  expect(await command.ended).toBe(1);
  expect(command.stderr()).toContain('apt-get install prometheus');
});

test.each([
  ['--metrics', '127.0.0.1'],
  ['--metrics', 'http://127.0.0.1:8002'],
  ['--listen', '127.0.0.1:0'],
])('observe refuses %s %s', async (option, value) => {
  await using command = signalbox('observe', option, value);
  expect(await command.ended).toBe(2);
  expect(command.stderr()).toContain('expected host:port, as 127.0.0.1:8002');
});

interface Told {
  readonly prometheus: string;
  readonly unreachable: readonly string[];
  readonly config: string;
  readonly grafana: string;
}

const found = await findPrometheus();

describe.skipIf(found.kind === 'missing')(
  `observe with Prometheus (${found.kind === 'missing' ? found.reason : found.program})`,
  () => {
    async function observe(
      ...args: readonly string[]
    ): Promise<AsyncDisposable & { command: Running; told: Told; listen: string }> {
      const listen = `127.0.0.1:${await freePort()}`;
      const command = run(process.execPath, [MAIN, 'observe', '--json', '--listen', listen, ...args], {
        ...process.env,
        SIGNALBOX_KEY: scraper.text,
      });
      await eventually(() => command.stdout().includes('\n') || command.child.exitCode !== null);
      if (command.stdout() === '') throw new Error(command.stderr());
      return {
        command,
        listen,
        told: JSON.parse(command.stdout()) as Told,
        // Killed, it would leave its Prometheus behind.
        async [Symbol.asyncDispose]() {
          command.child.kill('SIGTERM');
          await command.ended;
        },
      };
    }

    test('scrapes a gateway that asks for a key, has the rules, and leaves nothing behind', async () => {
      await using gateway = await startGateway({
        config: 'auth: { keys: ./keys.yaml }',
        files: {
          'keys.yaml': keysYaml([scraper, 'scopes: [metrics]']),
          'models/adding/1/model.onnx': addingModel(1),
        },
      });
      await using observed = await observe('--metrics', gateway.server.bound.metrics ?? '');
      const { command, told } = observed;
      expect(told.unreachable).toEqual([]);
      expect(await readdir(told.grafana)).toContain('experiment.json');
      expect(await readFile(told.config, 'utf8')).not.toContain(scraper.text);
      const ask = async (path: string): Promise<string> =>
        (await fetch(`${told.prometheus}/api/v1/${path}`)).text();
      await eventually(async () => (await ask('query?query=signalbox_instances')).includes('"adding"'));
      expect(await ask('rules')).toContain('SignalboxSampleRatioMismatch');
      expect(await ask('status/config')).not.toContain(scraper.text);
      command.child.kill('SIGTERM');
      expect(await command.ended).toBe(0);
      await expect(access(told.config)).rejects.toThrow('ENOENT');
    });

    test('tells of a gateway that is not there, and of an address that is taken', async () => {
      const nobody = `127.0.0.1:${await freePort()}`;
      await using observed = await observe('--metrics', nobody);
      const { command, told, listen } = observed;
      expect(told.unreachable).toEqual([nobody]);
      await using second = signalbox('observe', '--listen', listen);
      expect(await second.ended).toBe(1);
      expect(second.stderr()).toContain('name a free address with --listen');
      command.child.kill('SIGINT');
      expect(await command.ended).toBe(0);
    });

    test('passes on what Prometheus said where it does not start', async () => {
      await using data = await temporaryFolder({ file: 'no folder' });
      const listen = `127.0.0.1:${await freePort()}`;
      await using command = signalbox('observe', '--listen', listen, '--data', `${data.path}/file`);
      expect(await command.ended).toBe(1);
      expect(command.stderr()).toContain('not a directory');
    });
  },
);
