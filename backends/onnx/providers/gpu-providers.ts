import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { GpuProvider } from './execution-provider.ts';
import { nameOf } from './execution-provider.ts';
import { cudaObstacle, nvidiaGpus, webgpuObstacle } from './gpu-presence.ts';

/** Whether a provider works here. */
export type GpuReport =
  | { readonly name: GpuProvider['name']; readonly kind: 'works'; readonly providers: readonly GpuProvider[] }
  | { readonly name: GpuProvider['name']; readonly kind: 'fails'; readonly reason: string };

/** The providers that run on a GPU, as they were found. */
export type FindGpus = () => Promise<readonly GpuReport[]>;

/** What a probe says of its provider. */
export type ProbeResult = { readonly kind: 'works' } | { readonly kind: 'fails'; readonly reason: string };

/** The first run on a device compiles its shaders. */
const PROBE_LIMIT_MS = 120_000;

const PROBE = fileURLToPath(new URL('./probe-process.ts', import.meta.url));

/**
 * Finds out once which providers work: each by a run of a small model, if anything speaks for it at all.
 *
 * @param vulkanDriver whether a driver is named to the Vulkan loader by hand, which speaks for WebGPU
 */
export function gpuFinder(vulkanDriver: boolean): FindGpus {
  let found: Promise<readonly GpuReport[]> | undefined;
  return () => (found ??= probeAll(vulkanDriver));
}

async function probeAll(vulkanDriver: boolean): Promise<readonly GpuReport[]> {
  const gpus = nvidiaGpus();
  const onNvidia = (name: 'cuda' | 'tensorrt'): readonly GpuProvider[] =>
    gpus.map((deviceId) => ({ name, deviceId }));
  return Promise.all([
    report('tensorrt', onNvidia('tensorrt'), cudaObstacle('tensorrt')),
    report('cuda', onNvidia('cuda'), cudaObstacle('cuda')),
    report('webgpu', [{ name: 'webgpu' }], webgpuObstacle(vulkanDriver)),
  ]);
}

async function report(
  name: GpuProvider['name'],
  providers: readonly GpuProvider[],
  obstacle: string | undefined,
): Promise<GpuReport> {
  const [first] = providers;
  if (obstacle !== undefined || first === undefined)
    return { name, kind: 'fails', reason: obstacle ?? 'there is no device' };
  const result = await probe(first);
  return result.kind === 'works' ? { name, kind: 'works', providers } : { name, ...result };
}

/** Tries a provider in a process of its own: a driver that crashes takes only that with it. */
function probe(provider: GpuProvider): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const child = fork(PROBE, [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
    const limit = setTimeout(() => {
      end({ kind: 'fails', reason: `its first run has not ended after ${PROBE_LIMIT_MS / 1000} s` });
    }, PROBE_LIMIT_MS);
    const end = (result: ProbeResult): void => {
      clearTimeout(limit);
      resolve(result);
      child.kill('SIGKILL');
    };
    child.on('message', end);
    child.on('error', (error) => {
      end({ kind: 'fails', reason: error.message });
    });
    child.on('exit', (code, signal) => {
      end({
        kind: 'fails',
        reason: `trying ${nameOf(provider)} ended its process: ${signal ?? `exit code ${code ?? 'unknown'}`}`,
      });
    });
    child.send(provider);
  });
}
