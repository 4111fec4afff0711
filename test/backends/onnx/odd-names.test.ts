/** Names that objects inherit, or have no key for: models may call their tensors whatever they like. */
import { expect, test } from 'vitest';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { identitiesModel } from '../../models/small-models.ts';
import { loadVersion } from '../load-version.ts';

const INPUTS = ['__proto__', 'constructor', 'then'];
const OUTPUTS = ['toString', 'valueOf', 'hasOwnProperty'];

/** Values that are told apart by their place. */
function tensorOf(name: string, index: number): Tensor {
  return { name, datatype: 'FP32', shape: [1, 1], data: Float32Array.of(index + 1) };
}

/** With a free size beside the rows an output's shape isn't known before the run, and it comes back in the message. */
test.each([1, 'free'] as const)(
  'tensors of [batch, %s] get their own values, whatever they are called',
  async (size) => {
    const column = (input: string, output: string) =>
      ({ input, output, datatype: 'FP32', shape: ['batch', size] }) as const;
    const inputs = INPUTS.map((name, index) => column(name, `out${index}`));
    const outputs = OUTPUTS.map((name, index) => column(`in${index}`, name));
    const columns = [...inputs, ...outputs];
    await using loaded = await loadVersion(identitiesModel(columns), { maxBatchSize: 4 });
    const answer = await loaded.version.infer({
      inputs: columns.map(({ input }, index) => tensorOf(input, index)),
      deadlineMs: Infinity,
    });
    expect(answer.outputs.map(({ name, data }) => [name, Number(data[0])])).toEqual(
      columns.map(({ output }, index) => [output, index + 1]),
    );
    answer.release();
  },
);

test('an output that the runtime has no place for is refused when the model is loaded', async () => {
  const model = identitiesModel([
    { input: 'in', output: '__proto__', datatype: 'FP32', shape: ['batch', 1] },
  ]);
  await expect(loadVersion(model)).rejects.toThrow(
    'an output can\'t be called "__proto__"; give it another name in the model',
  );
});
