import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { requireRuntimePlatform } from '../../../backends/onnx/runtime-platform.ts';
import { ROOT, run } from '../../e2e/cli.ts';

test.each([
  ['linux', 'riscv64', false, 'linux riscv64;'],
  ['linux', 'x64', true, 'linux x64 with musl;'],
  ['darwin', 'x64', false, 'darwin x64;'],
  ['freebsd', 'x64', false, 'freebsd x64;'],
])('on %s %s (musl: %s) no model could run, and the start says so', (system, arch, isMusl, named) => {
  expect(() => {
    requireRuntimePlatform({ system, arch, isMusl });
  }).toThrow(`${named} expected Linux with glibc (x64, arm64), macOS (arm64) or Windows (x64, arm64)`);
});

test('the platforms are those that the package of ONNX Runtime has files for', async () => {
  const bin = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')), 'bin');
  const [napi = ''] = await readdir(bin);
  for (const system of await readdir(join(bin, napi)))
    for (const arch of await readdir(join(bin, napi, system)))
      expect(() => {
        requireRuntimePlatform({ system, arch, isMusl: false });
      }, `${system} ${arch}`).not.toThrow();
});

test('this machine is one of them, and `signalbox serve` ends with 1 on another', async () => {
  expect(() => {
    requireRuntimePlatform();
  }).not.toThrow();
  const other = 'data:text/javascript,Object.defineProperty(process, "arch", { value: "riscv64" })';
  await using serving = run(process.execPath, [
    '--import',
    other,
    join(ROOT, 'bin/signalbox.js'),
    'serve',
    '--demo',
  ]);
  expect(await serving.ended).toBe(1);
  expect(serving.stderr()).toMatch(
    /^ONNX Runtime, .* has no files for linux riscv64; expected Linux with glibc/,
  );
  expect(serving.stdout()).toBe('');
});
