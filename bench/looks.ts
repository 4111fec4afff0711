/** What a look at a large repository costs the main thread, where nothing has changed: `npm run bench:looks [-- VERSIONS]`. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ModelRepository } from '../backends/repository/repository.ts';
import { addingModel } from '../test/models/small-models.ts';

/** What was written this short ago is read again at every look. */
const SETTLED_MS = 2500;

const LOOKS = 20;

/** How the versions are shared out over models, and what a model's configuration says: none of them needs a thread of its own for each version. */
const LAYOUTS = [
  { models: 4, config: 'version_policy: { latest: { num_versions: 1 } }\n' },
  {
    models: Infinity,
    config:
      'backend: image\ninput: [{ name: image, data_type: TYPE_STRING, dims: [1] }]\n' +
      'output: [{ name: pixels, data_type: TYPE_FP32, dims: [1, 8, 8] }]\n' +
      'signalbox: { image: { resize: 8, crop: 8, scale: 1, mean: [0], std: [1], color: gray } }\n',
  },
] as const;

const total = Number(process.argv[2] ?? 1000);
for (const { models, config } of LAYOUTS) await measure(Math.min(models, total), config);

async function measure(models: number, config: string): Promise<void> {
  const versions = Math.ceil(total / models);
  const root = await mkdtemp(join(tmpdir(), 'signalbox-looks-'));
  try {
    for (let model = 0; model < models; model++) {
      await mkdir(join(root, `m${model}`));
      await writeFile(join(root, `m${model}`, 'config.yaml'), config);
      for (let version = 1; version <= versions; version++) {
        await mkdir(join(root, `m${model}`, String(version)));
        await writeFile(join(root, `m${model}`, String(version), 'model.onnx'), addingModel(1));
      }
    }
    const repository = await openRepository(root);
    await pause(SETTLED_MS);
    for (let look = 0; look < 3; look++) await repository.refresh();
    const [used, took]: [number[], number[]] = [[], []];
    for (let look = 0; look < LOOKS; look++) {
      const [usedMs, startMs] = [processorMs(), performance.now()];
      await repository.refresh();
      used.push(processorMs() - usedMs);
      took.push(performance.now() - startMs);
    }
    process.stdout.write(
      `${models} models of ${versions} versions: a look takes ${median(took)} ms, ` +
        `${median(used)} ms of the main thread's processor time (most ${Math.max(...used).toFixed(1)})\n`,
    );
    await repository.close();
  } finally {
    await rm(root, { recursive: true });
  }
}

function openRepository(root: string): Promise<ModelRepository> {
  const nothing = (): void => undefined;
  return ModelRepository.open({
    roots: [root],
    control: 'poll',
    load: [],
    events: {
      onBatch: nothing,
      onWorkerRestart: nothing,
      onHang: nothing,
      onPlacement: nothing,
      onVersion: (model, version, state, reason) => {
        if (state === 'failed') throw new Error(`${model}/${version} failed: ${reason ?? ''}`);
      },
      onReplaced: nothing,
      onFolder: nothing,
      onWarning: nothing,
      onKept: nothing,
      onLingering: nothing,
    },
  });
}

/** Of this thread alone. */
function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function median(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)] ?? NaN).toFixed(1);
}
