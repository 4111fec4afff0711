import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { ROOT, run } from '../e2e/cli.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';
import { filesUnder, layBase } from './clean-root.ts';

const execute = promisify(execFile);
const read = (file: string): Promise<string> => readFile(join(ROOT, file), 'utf8');
const COMPOSE = 'deploy/compose/compose.yaml';
const GATEWAY = 'deploy/compose/gateway/signalbox.yaml';

/** A container has none either; the path is for finding `chroot`. */
const NO_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** Whether this machine lets the tests have a file system of their own, as a container has. */
const CONTAINS = process.platform === 'linux' && process.getuid?.() === 0;

interface Service {
  readonly image?: string;
  readonly volumes?: readonly { type: string; source: string; target: string }[];
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
}

describe('what the image holds', () => {
  let folder: TemporaryFolder;
  let files: readonly string[];
  const source = (): string => join(folder.path, 'source');
  const assemble = (to: string, ...options: readonly string[]): Promise<unknown> =>
    execute(process.execPath, ['deploy/container/assemble.ts', join(folder.path, to), ...options], {
      cwd: source(),
    });
  beforeAll(async () => {
    folder = await temporaryFolder();
    await mkdir(source(), { recursive: true });
    for (const [, part = ''] of (await read('.dockerignore')).matchAll(/^!(.+)$/gm)) {
      await cp(join(ROOT, part), join(source(), part), { recursive: true });
    }
    // In the place of `npm ci`.
    await symlink(join(ROOT, 'node_modules'), join(source(), 'node_modules'));
    // The two commands of the Dockerfile's last build step, on what .dockerignore lets through; the types have been checked by the check.
    await execute('npm', ['run', 'build', '--', '--noCheck'], { cwd: source() });
    await assemble('app');
    files = await filesUnder(join(folder.path, 'app'));
    if (CONTAINS) await layRoot(folder.path, files);
  }, 240_000);
  afterAll(() => folder[Symbol.asyncDispose]());

  test("only this platform's ONNX Runtime, no install scripts, no development packages, no source", () => {
    const native = files.filter((file) => file.startsWith('node_modules/onnxruntime-node/bin/'));
    expect(native.length).toBeGreaterThan(0);
    for (const file of native) expect(file).toContain(`/${process.platform}/${process.arch}/`);
    expect(native.filter((file) => file.includes('providers'))).toEqual([]);
    expect(files).not.toContain('node_modules/onnxruntime-node/script/install.js');
    expect(files.filter((file) => /^node_modules\/(typescript|vitest|eslint|node-linux)/.test(file))).toEqual(
      [],
    );
    expect(files.filter((file) => /^(gateway|backends|test|deploy)\//.test(file))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining(['bin/node', 'bin/health-check.js', 'THIRD_PARTY_NOTICES', 'LICENSE']),
    );
  });

  test('an image for CUDA is refused when the provider is not there, and says what brings it', async () => {
    const failed = assemble('cuda', '--provider', 'cuda');
    await expect(failed).rejects.toThrow(
      /libonnxruntime_providers_cuda\.so is missing; .*--onnxruntime-node-install=cuda12/,
    );
  });

  test.runIf(CONTAINS)(
    'it serves from a read-only root with no shell, as a user without rights, is found healthy, and ends with 0',
    async () => {
      const root = folder.path;
      await folder.write({
        'etc/signalbox/signalbox.yaml':
          'listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0 }\nmodels: { repository: /models, defaultModel: digits }\n',
      });
      await using serving = contained(root);
      const { http = '', pid = '' } = await serving.ready();

      expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
      const image = await readFile(join(ROOT, 'demo/images/0001.png'));
      const answer = await fetch(`http://${http}/predict`, { method: 'POST', body: image });
      expect(await answer.json()).toMatchObject({ success: true, predictions: [{ label: 'zero' }, {}, {}] });

      const health = (url: string) =>
        run('chroot', [root, '/app/bin/node', '/app/bin/health-check.js'], {
          ...NO_ENVIRONMENT,
          SIGNALBOX_HEALTH_URL: url,
        });
      await using healthy = health(`http://${http}/v2/health/ready`);
      expect(await healthy.ended).toBe(0);
      process.kill(Number(pid), 'SIGTERM');
      expect(await serving.ended).toBe(0);
      await using unhealthy = health(`http://${http}/v2/health/ready`);
      expect(await unhealthy.ended).toBe(1);
    },
  );

  test.runIf(CONTAINS)(
    'with the folders of compose.yaml it keeps outcomes on the mounted volume while Redis is away',
    async () => {
      const { spool, models, experiments } = parse(await read(GATEWAY)) as Record<string, unknown>;
      await folder.write({
        'etc/signalbox/signalbox.yaml': stringify({
          ...{ spool, models, experiments },
          listen: { http: '127.0.0.1:0' },
          // Nobody is there: Redis is away from the beginning.
          state: 'redis://127.0.0.1:1/0',
          secret: 'sixteen characters or more',
        }),
      });
      await using serving = contained(folder.path);
      const { http = '' } = await serving.ready();
      const body = await readFile(join(ROOT, 'demo/images/0001.png'));
      const headers = { 'x-user-id': 'ada' };
      const answer = await fetch(`http://${http}/predict`, { method: 'POST', body, headers });
      const outcome = await fetch(`http://${http}/v1/outcomes`, {
        method: 'POST',
        body: JSON.stringify({
          prediction_id: answer.headers.get('x-prediction-id'),
          metric: 'correct',
          value: true,
        }),
      });
      expect([outcome.status, await outcome.json()]).toEqual([202, { accepted: 1, rejected: [] }]);
    },
  );
});

/** What a container's file system has beside the image: the base image, and the demo's folders where compose.yaml mounts them. */
async function layRoot(root: string, files: readonly string[]): Promise<void> {
  const native = join(root, 'app/node_modules/onnxruntime-node/bin/napi-v6', process.platform, process.arch);
  const sharp = files
    .filter((file) => /\.node$|libvips.*\.so/.test(file))
    .map((file) => join(root, 'app', file));
  await chmod(root, 0o755);
  await layBase(root, [join(root, 'app/bin/node'), join(native, 'libonnxruntime.so.1'), ...sharp]);
  for (const part of ['models', 'experiments'])
    await cp(join(ROOT, 'demo', part), join(root, part), { recursive: true });
  await mkdir(join(root, 'var/lib/signalbox'), { recursive: true });
}

/**
 * The image's own command in a mount namespace of its own: the root is bound read-only over itself, with the devices and processes that
 * every container has and an empty volume where compose.yaml mounts one, and gone with the process.
 */
function contained(root: string): ReturnType<typeof run> {
  const enter =
    'mkdir -p "$0/dev" "$0/proc" && mount --bind "$0" "$0" && mount --rbind /dev "$0/dev" && ' +
    'mount --rbind /proc "$0/proc" && mount -o remount,bind,ro "$0" && ! touch "$0/tmp/x" 2>/dev/null && ' +
    'mount -t tmpfs -o uid=65532,gid=65532,mode=0755 tmpfs "$0/var/lib/signalbox" && ' +
    'exec chroot --userspec=65532:65532 "$0" "$@"';
  const serve = ['serve', '--config', '/etc/signalbox/signalbox.yaml'];
  return run(
    'unshare',
    ['--mount', '--', 'sh', '-c', enter, root, '/app/bin/node', '/app/bin/signalbox.js', ...serve],
    NO_ENVIRONMENT,
  );
}

describe('compose.yaml', () => {
  test("is what Compose's own schema allows", async () => {
    const schema = JSON.parse(await read('test/deploy/schemas/compose-v2.16.2.json')) as object;
    const check = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    const compose: unknown = parse(await read(COMPOSE));
    expect(check(compose), JSON.stringify(check.errors)).toBe(true);
    expect(check({ services: { gateway: { imagee: 'x' } } })).toBe(false);
  });

  test('mounts only what is there, and gives the gateway more time to stop than it takes', async () => {
    const { services } = parse(await read(COMPOSE)) as { services: Record<string, Service> };
    const binds = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes)
      .filter(({ type }) => type === 'bind');
    expect(binds.length).toBeGreaterThan(5);
    for (const { source } of binds) {
      // The dashboards come with a part of the repository of their own.
      if (source.includes('/dashboards/') && !existsSync(join(ROOT, 'dashboards'))) continue;
      expect(existsSync(join(ROOT, 'deploy/compose', source)), source).toBe(true);
    }
    const { timeouts } = await loadConfig(join(ROOT, GATEWAY), {});
    const stopMs = Number(/^(\d+)s$/.exec(services.signalbox?.stop_grace_period ?? '')?.[1]) * 1000;
    expect(stopMs).toBeGreaterThan(timeouts.graceMs + timeouts.drainMs);
  });

  test('has the gateway write to a volume, and publishes its planes on loopback, the control plane behind keys', async () => {
    const { services } = parse(await read(COMPOSE)) as { services: Record<string, Service> };
    const { spool, listen, auth } = await loadConfig(join(ROOT, GATEWAY), {});
    const { volumes = [], ports = [] } = services.signalbox ?? {};
    const writable = volumes.filter(({ type }) => type === 'volume').map(({ target }) => target);
    expect(writable.filter((target) => spool.startsWith(`${target}/`))).toHaveLength(1);
    const published = [listen.http, listen.grpc, listen.admin].map((plane) => plane?.port ?? NaN);
    expect(ports).toEqual(published.map((port) => `127.0.0.1:${port}:${port}`));
    expect(auth.keys).toBeDefined();
  });

  test('has Prometheus show a key that it is given, and the collector receive what the gateway sends', async () => {
    const { services } = parse(await read(COMPOSE)) as { services: Record<string, Service> };
    const prometheus = parse(await read('deploy/compose/prometheus.yaml')) as {
      scrape_configs: { authorization: { credentials_file: string } }[];
    };
    const targets = services.prometheus?.volumes?.map(({ target }) => target) ?? [];
    for (const { authorization } of prometheus.scrape_configs)
      expect(targets.some((target) => authorization.credentials_file.startsWith(`${target}/`))).toBe(true);
    const { tracing, events } = await loadConfig(join(ROOT, GATEWAY), {});
    const collector = parse(await read('deploy/compose/collector.yaml')) as {
      receivers: { otlp: { protocols: { http: { endpoint: string } } } };
      service: { pipelines: Record<string, object> };
    };
    const { hostname, port } = new URL(tracing?.otlp.endpoint ?? '');
    expect(Object.keys(services)).toContain(hostname);
    expect(collector.receivers.otlp.protocols.http.endpoint).toBe(`0.0.0.0:${port}`);
    expect([events?.kind, Object.keys(collector.service.pipelines)]).toEqual(['otlp', ['traces', 'logs']]);
  });

  test('names a fixed version of every image', async () => {
    const { services } = parse(await read(COMPOSE)) as { services: Record<string, Service> };
    for (const { image } of Object.values(services)) expect(image).toMatch(/:v?\d+\.\d+/);
  });
});
