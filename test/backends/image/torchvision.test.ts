import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { readImageSpec } from '../../../backends/image/image-spec.ts';
import { imageToTensor } from '../../../backends/image/preprocess.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { HERE, readCases, readPhoto } from '../../vectors/torchvision/cases.ts';

const CASES = await readCases();

/** How many values differ, and by how much at the most. */
function differences(made: Float32Array, expected: Float32Array): { values: number; largest: number } {
  let [values, largest] = [0, 0];
  expected.forEach((value, at) => {
    if (made[at] === value) return;
    values += 1;
    largest = Math.max(largest, Math.abs((made[at] ?? NaN) - value));
  });
  return { values, largest };
}

describe('a photograph becomes the tensor that torchvision makes of it, bit for bit', () => {
  test.each(CASES)('$name', async ({ file, image, shape, tensor }) => {
    const made = await imageToTensor(await readPhoto(file), readImageSpec(image).spec, 1_000_000);
    expect(made.shape).toEqual(shape);
    expect(made.data).toHaveLength(tensor.length);
    expect(differences(made.data, tensor)).toEqual({ values: 0, largest: 0 });
  });
});

const hasTorchvision = spawnSync('python3', ['-c', 'import torchvision, PIL']).status === 0;

test('the tensors are what torchvision makes of the photographs today', async ({ skip }) => {
  if (!hasTorchvision) {
    skip('python3 has no torchvision; install test/vectors/torchvision/requirements.txt to run it');
  }
  await using folder = await temporaryFolder();
  const made = spawnSync('python3', [`${HERE}make.py`, 'vectors', '--into', folder.path]);
  expect(made.stderr.toString()).toBe('');
  const today = await readCases(folder.path);
  expect(today.map(({ name, shape }) => [name, shape])).toEqual(
    CASES.map(({ name, shape }) => [name, shape]),
  );
  today.forEach(({ name, tensor, network }, index) => {
    const stored = CASES[index];
    expect(differences(tensor, stored?.tensor ?? new Float32Array()), name).toEqual({
      values: 0,
      largest: 0,
    });
    expect(network?.top5, name).toEqual(stored?.network?.top5);
  });
});
