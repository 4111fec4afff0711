/**
 * Lays out what the container runs: `assemble.ts FOLDER [--provider cuda]`, after `npm ci` and `npm run build`.
 *
 * The folder gets the compiled gateway, the packages it needs at run time, this platform's Node and this platform's ONNX Runtime:
 * what the lockfile marks as for development stays out, and so do the runtime's files for other platforms.
 */
import { access, cp, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runtimePackages } from '../release/runtime-packages.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { platform, arch } = process;

const {
  positionals: [target],
  values: { provider },
} = parseArgs({ allowPositionals: true, options: { provider: { type: 'string' } } });
if (target === undefined || (provider !== undefined && provider !== 'cuda')) {
  process.stderr.write('expected `assemble.ts FOLDER [--provider cuda]`\n');
  process.exit(2);
}
// What is missing is told before half a gigabyte is copied.
await checkRuntime(ROOT);
await rm(target, { recursive: true, force: true });
await mkdir(join(target, 'bin'), { recursive: true });
for (const part of ['package.json', 'LICENSE', 'THIRD_PARTY_NOTICES', 'dist', 'bin']) {
  await cp(join(ROOT, part), join(target, part), { recursive: true });
}
await cp(join(ROOT, 'deploy/container/health-check.js'), join(target, 'bin/health-check.js'));
for (const { path } of await runtimePackages(ROOT)) await copyPackage(path, target);
await rename(join(target, `node_modules/node-${platform}-${arch}/bin/node`), join(target, 'bin/node'));
await rename(join(target, `node_modules/node-${platform}-${arch}/LICENSE`), join(target, 'bin/node.LICENSE'));
await rm(join(target, `node_modules/node-${platform}-${arch}`), { recursive: true });
await checkRuntime(target);

/** A package without the packages nested in it, which the lockfile names by themselves. */
async function copyPackage(path: string, into: string): Promise<void> {
  const source = join(ROOT, path);
  await cp(source, join(into, path), {
    recursive: true,
    filter: (file) => {
      const inside = relative(source, file).split(sep);
      return !inside.includes('node_modules') && !isForOthers(path, inside) && !isForDevelopers(inside);
    },
  });
}

/** ONNX Runtime's package has the files of all platforms, two thirds of its size. */
function isForOthers(path: string, inside: readonly string[]): boolean {
  if (!path.endsWith('/onnxruntime-node')) return false;
  const [first, , itsPlatform, itsArch, file = ''] = inside;
  if (first === 'script') return true;
  if (first !== 'bin') return false;
  if (itsPlatform !== undefined && itsPlatform !== platform) return true;
  if (itsArch !== undefined && itsArch !== arch) return true;
  const isProvider = file.startsWith('libonnxruntime_providers_');
  // TensorRT's provider needs libraries that no base image here has.
  return isProvider && (provider === undefined || file.includes('tensorrt'));
}

function isForDevelopers(inside: readonly string[]): boolean {
  const name = inside.at(-1) ?? '';
  return /\.(d\.[cm]?ts|map)$/.test(name) || (inside[0] === 'include' && inside[1] === 'node');
}

/** @throws Error that names what the image lacks, or would lack */
async function checkRuntime(folder: string): Promise<void> {
  const bin = join(folder, 'node_modules/onnxruntime-node/bin');
  const [napi = ''] = await readdir(bin);
  const expected = ['onnxruntime_binding.node', 'libonnxruntime.so.1'];
  if (provider === 'cuda')
    expected.push('libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so');
  for (const file of expected) {
    const path = join(bin, napi, platform, arch, file);
    await access(path).catch((cause: unknown) => {
      throw new Error(
        `${relative(folder, path)} is missing; \`npm ci\` brings the runtime, and ` +
          '`node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12` its CUDA provider',
        { cause },
      );
    });
  }
  await readFile(join(folder, 'dist/gateway/cli/main.js'));
}
