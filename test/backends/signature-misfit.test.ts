import { expect, test } from 'vitest';
import { signatureMisfit } from '../../backends/signature-misfit.ts';
import type { VersionDescription } from '../../backends/servable.ts';

type Described = Pick<VersionDescription, 'inputs' | 'outputs' | 'image'>;

const tensor = (name: string, shape: readonly number[], datatype: 'FP32' | 'INT64' = 'FP32') => ({
  name,
  datatype,
  shape,
});

const USUAL: Described = {
  inputs: [tensor('SCORES', [-1, 4])],
  outputs: [tensor('OUTPUT', [-1, 4])],
  image: undefined,
};

test.each<[string, Partial<Described>]>([
  ['the same', {}],
  ['a free dimension', { inputs: [tensor('SCORES', [-1, -1])] }],
  ['a fixed batch', { inputs: [tensor('SCORES', [1, 4])] }],
  ['one more output', { outputs: [tensor('OUTPUT', [-1, 4]), tensor('MORE', [-1])] }],
  ['an output of another size', { outputs: [tensor('OUTPUT', [-1, 5])] }],
  ['inputs that nobody tells', { inputs: [] }],
  ['outputs that nobody tells', { outputs: [] }],
])('%s may answer', (_, changes) => {
  expect(signatureMisfit(USUAL, { ...USUAL, ...changes })).toBeUndefined();
});

test.each<[string, Partial<Described>, string]>([
  [
    'another name',
    { inputs: [tensor('scores', [-1, 4])] },
    'takes scores FP32 [-1, 4], and not SCORES FP32 [-1, 4]',
  ],
  [
    'another datatype',
    { inputs: [tensor('SCORES', [-1, 4], 'INT64')] },
    'takes SCORES INT64 [-1, 4], and not',
  ],
  ['another size', { inputs: [tensor('SCORES', [-1, 5])] }, 'takes SCORES FP32 [-1, 5], and not'],
  ['another rank', { inputs: [tensor('SCORES', [4])] }, 'takes SCORES FP32 [4], and not'],
  [
    'one more input',
    { inputs: [tensor('SCORES', [-1, 4]), tensor('MASK', [-1, 4])] },
    'takes SCORES FP32 [-1, 4]; MASK',
  ],
  [
    'no such output',
    { outputs: [tensor('LOGITS', [-1, 4])] },
    'gives LOGITS FP32 [-1, 4], and not OUTPUT FP32 [-1, 4]',
  ],
])('%s can’t answer, and why is said', (_, changes, reason) => {
  expect(signatureMisfit(USUAL, { ...USUAL, ...changes })).toContain(reason);
});
