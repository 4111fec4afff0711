/** No caller ever gets another's rows, whatever the callers do. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackendError } from '../../backends/errors.ts';
import type { InferAnswer } from '../../backends/inference.ts';
import type { ModelVersion } from '../../backends/model-version.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import { elementCount } from '../../backends/tensor/tensor.ts';
import { identitiesModel } from '../models/small-models.ts';
import type { Column } from '../models/small-models.ts';
import { loadVersion } from './load-version.ts';
import { eventuallyHolds } from '../eventually-holds.ts';

const MAX_ROWS = 8;

const X: Column = { input: 'A', output: 'X', datatype: 'FP32', shape: ['batch', 5] };
const Y: Column = { input: 'B', output: 'Y', datatype: 'INT64', shape: ['batch'] };
const Z: Column = { input: 'C', output: 'Z', datatype: 'BYTES', shape: ['batch', 2] };

const MODELS: readonly { readonly name: string; readonly columns: readonly Column[] }[] = [
  { name: 'one input of a fixed width', columns: [X] },
  {
    name: 'an input of a free width, so that there are lanes',
    columns: [{ ...X, shape: ['batch', 'width'] }],
  },
  { name: 'strings', columns: [Z] },
  { name: 'strings of a free width', columns: [{ ...Z, shape: ['batch', 'width'] }] },
  { name: 'several inputs and outputs of different types', columns: [X, Y, Z] },
  { name: 'several inputs, one of them of a free width', columns: [Y, { ...X, shape: ['batch', 'width'] }] },
  {
    name: 'no batches',
    columns: [
      { ...X, shape: [2, 5] },
      { ...Z, shape: [3] },
    ],
  },
];

/** What one caller does. */
interface Behaviour {
  /** Turns of the event loop since the caller before it came. */
  readonly gapTurns: number;
  readonly rows: number;
  readonly width: number;
  /** Outputs it wants, by position, in its order; undefined: all. */
  readonly wanted: readonly number[] | undefined;
  /** Turns after which it hangs up; undefined: never. */
  readonly hangsUpAfterTurns: number | undefined;
  readonly deadlineAfterMs: number | undefined;
  /** Turns for which it keeps the answer before it reads it. */
  readonly readsAfterTurns: number;
}

const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq: 3 });

function behaviours(outputs: number): fc.Arbitrary<Behaviour[]> {
  const positions = Array.from({ length: outputs }, (_, position) => position);
  return fc.array(
    fc.record({
      gapTurns: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(6) }),
      rows: fc.integer({ min: 1, max: MAX_ROWS }),
      width: fc.integer({ min: 1, max: 3 }),
      wanted: fc.option(fc.shuffledSubarray(positions), { nil: undefined }),
      hangsUpAfterTurns: sometimes(fc.nat(12)),
      deadlineAfterMs: sometimes(fc.integer({ min: -1, max: 4 })),
      readsAfterTurns: fc.nat(4),
    }),
    { minLength: 20, maxLength: 60 },
  );
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A tensor whose every element only this caller, this column and this place have. */
function tensorOf(column: Column, caller: number, { rows, width }: Behaviour): Tensor {
  const { input: name, datatype } = column;
  const shape = column.shape.map((size) =>
    size === 'batch' ? rows : size === 'width' ? width : Number(size),
  );
  const values = Array.from({ length: elementCount(shape) }, (_, place) => caller * 100 + place);
  switch (datatype) {
    case 'BYTES':
      return { name, datatype, shape, data: values.map((value) => `${name} ${value} ✓`) };
    case 'INT64':
      return { name, datatype, shape, data: BigInt64Array.from(values, (value) => -BigInt(value)) };
    default:
      return { name, datatype: 'FP32', shape, data: Float32Array.from(values) };
  }
}

/** A caller of its own number comes, does what its behaviour says, and looks at what it got. */
async function call(
  version: ModelVersion,
  columns: readonly Column[],
  caller: number,
  behaviour: Behaviour,
): Promise<void> {
  const { wanted, hangsUpAfterTurns, deadlineAfterMs, readsAfterTurns } = behaviour;
  const inputs = columns.map((column) => tensorOf(column, caller, behaviour));
  const wantedColumns = wanted === undefined ? columns : wanted.map((position) => at(columns, position));
  const connection = new AbortController();
  const answer = version.infer({
    // The order in which a caller sends its inputs is its own.
    inputs: caller % 2 === 0 ? inputs : inputs.toReversed(),
    ...(wanted === undefined ? {} : { outputs: wantedColumns.map(({ output }) => output) }),
    deadlineMs: deadlineAfterMs === undefined ? Infinity : performance.now() + deadlineAfterMs,
    signal: connection.signal,
  });
  let isAnswered = false;
  let hungUpInTime = false;
  const outcome = outcomeOf(answer).finally(() => {
    isAnswered = true;
  });
  if (hangsUpAfterTurns !== undefined) {
    await turns(hangsUpAfterTurns);
    hungUpInTime = !isAnswered;
    connection.abort();
  }
  const got = await outcome;
  if (typeof got === 'string') {
    if (hungUpInTime) expect(got).toBe('cancelled');
    else expect(deadlineAfterMs, `${got} without a deadline`).toBeDefined();
    return;
  }
  expect(hungUpInTime, 'an answer for one that had hung up').toBe(false);
  await turns(readsAfterTurns);
  const expected = wantedColumns.map((column) => ({
    ...tensorOf(column, caller, behaviour),
    name: column.output,
  }));
  expect(got.outputs.map(copyOf)).toEqual(expected);
  got.release();
}

/** The answer, or the fault. */
async function outcomeOf(answer: Promise<InferAnswer>): Promise<InferAnswer | string> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BackendError) return error.fault;
    throw error;
  }
}

function copyOf(tensor: Tensor): Tensor {
  return tensor.datatype === 'BYTES' ? tensor : { ...tensor, data: tensor.data.slice() };
}

function at<T>(list: readonly T[], position: number): T {
  const item = list[position];
  if (item === undefined) throw new Error(`there is no position ${position}`);
  return item;
}

describe('each caller gets its own rows and no others, in a model with', () => {
  test.each(MODELS)('$name', async ({ columns }) => {
    await using loaded = await loadVersion(identitiesModel(columns), {
      instances: 2,
      ...(columns.every(({ shape }) => shape[0] === 'batch') ? { maxBatchSize: MAX_ROWS } : {}),
    });
    const { version } = loaded;
    let callers = 0;
    await fc.assert(
      fc.asyncProperty(behaviours(columns.length), async (crowd) => {
        const calls: Promise<void>[] = [];
        for (const behaviour of crowd) {
          await turns(behaviour.gapTurns);
          // Numbers start again from 0 now and then: FP32 holds whole numbers up to 2^24 only.
          calls.push(call(version, columns, callers++ % 100_000, behaviour));
        }
        await Promise.all(calls);
        expect(version.queued).toBe(0);
        // A batch all of whose callers hung up may still be running.
        await eventuallyHolds(() => {
          expect(version.lentSlabs).toBe(0);
        });
      }),
      { numRuns: 100 },
    );
    expect(callers).toBeGreaterThan(2000);
  });
});
