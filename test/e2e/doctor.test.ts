import { expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { signalbox } from './cli.ts';

test('the doctor tells versions, the machine, and why what does not work does not', async () => {
  await using doctor = signalbox('doctor');
  expect(await doctor.ended).toBe(0);
  const text = doctor.stdout();
  expect(text).toContain(`onnxruntime  ${packageJson.dependencies['onnxruntime-node']}`);
  expect(text).toMatch(/^\w+ \w+, \d+ cores, [\d.]+ GiB of memory/m);
  expect(text).toMatch(/^cpu +yes +cpu$/m);
  for (const provider of ['webgpu', 'cuda', 'tensorrt']) {
    expect(text).toMatch(new RegExp(`^${provider} +(yes +${provider}|no +\\S.{10,})`, 'm'));
  }
});

test('--json tells the same to machines', async () => {
  await using doctor = signalbox('doctor', '--json');
  expect(await doctor.ended).toBe(0);
  expect(JSON.parse(doctor.stdout())).toMatchObject({
    versions: { signalbox: packageJson.version, node: process.versions.node },
    machine: { platform: `${process.platform} ${process.arch}` },
    providers: [{ name: 'cpu', works: true }, { name: 'webgpu' }, { name: 'cuda' }, { name: 'tensorrt' }],
  });
});
