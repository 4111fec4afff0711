import { join } from 'node:path';
import { vi } from 'vitest';
import { ModelVersion } from '../../../backends/model-version.ts';
import type { Servable } from '../../../backends/servable.ts';
import { ModelRepository } from '../../../backends/repository/repository.ts';
import type { RepositoryEvents, RepositoryOptions } from '../../../backends/repository/repository-options.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import type { TemporaryFolder } from '../../models/temporary-folder.ts';

type Events = {
  readonly [Event in keyof RepositoryEvents]-?: ReturnType<typeof vi.fn<Required<RepositoryEvents>[Event]>>;
};

export interface OpenedRepository extends AsyncDisposable {
  readonly repository: ModelRepository;
  readonly root: TemporaryFolder;
  readonly events: Events;
  /** A version that must be ready. */
  ready(model: string, version: number): Servable;
  /** What the repository's index says of a version, as `STATE reason`. */
  stateOf(model: string, version: number): string | undefined;
}

export function repositoryEvents(): Events {
  return {
    onBatch: vi.fn(),
    onWorkerRestart: vi.fn(),
    onProcessDeaths: vi.fn(),
    onHang: vi.fn(),
    onPlacement: vi.fn(),
    onVersion: vi.fn(),
    onFolder: vi.fn(),
    onWarning: vi.fn(),
    onKept: vi.fn(),
    onReplaced: vi.fn(),
    onLingering: vi.fn(),
    onHandover: vi.fn(),
    onUnscaled: vi.fn(),
  };
}

/** Writes the files into a folder and serves it, until it is disposed of. */
export async function openRepository(
  files: Readonly<Record<string, string | Uint8Array>>,
  {
    control = 'poll',
    load = [],
    neededBy = () => undefined,
    ...others
  }: Partial<
    Pick<RepositoryOptions, 'control' | 'load' | 'neededBy' | 'machine' | 'unloadWaitMs' | 'handover'>
  > = {},
): Promise<OpenedRepository> {
  const root = await temporaryFolder(files);
  const events = repositoryEvents();
  const repository = await ModelRepository.open({
    roots: [root.path],
    ...{ control, load, neededBy, events, ...others },
  });
  return {
    repository,
    root,
    events,
    ready(model, version) {
      const found = repository.model(model)?.version(version);
      if (found === undefined) throw new Error(`${model}/${version} is not ready`);
      return found;
    },
    stateOf(model, version) {
      const entry = repository.index().find((line) => line.name === model && line.version === version);
      return entry === undefined ? undefined : `${entry.state} ${entry.reason}`.trimEnd();
    },
    async [Symbol.asyncDispose]() {
      await repository.close();
      await root[Symbol.asyncDispose]();
    },
  };
}

/** Looks as often as a change needs to be taken over: once to see it, once to see that it has settled. */
export async function settle({ repository }: OpenedRepository): Promise<void> {
  await repository.refresh();
  await repository.refresh();
}

/** What an adding model makes of 0: the number that it adds. */
export async function addendOf(version: Servable): Promise<number | undefined> {
  const answer = await version.infer({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: new Float32Array(2) }],
    deadlineMs: Infinity,
  });
  const [sum] = answer.outputs.map(({ data }) => Number(data[0]));
  answer.release();
  return sum;
}

/** Slabs of a version of an ONNX model that are lent: 0 when nothing is in flight. */
export function lentSlabsOf(version: Servable): number {
  if (!(version instanceof ModelVersion)) throw new Error(`'${version.about.model}' is no ONNX model`);
  return version.lentSlabs;
}

export function modelPath(root: TemporaryFolder, model: string, version: number): string {
  return join(root.path, model, String(version), 'model.onnx');
}
