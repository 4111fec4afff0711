/** The journal as its two sides use it: workers write to a real file, and who outlives them reads it. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JournalWriter } from '../../../backends/onnx/journal-writer.ts';
import { digestMembers } from '../../../backends/onnx/member-digests.ts';
import type { RunMessage } from '../../../backends/onnx/messages.ts';
import { RunJournal, readRunning } from '../../../backends/onnx/run-journal.ts';
import type { CrashSuspect } from '../../../backends/onnx/run-journal.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import type { TemporaryFolder } from '../../models/temporary-folder.ts';

let folder: TemporaryFolder;
let fd: number;

beforeEach(async () => {
  folder = await temporaryFolder();
  fd = openSync(join(folder.path, 'journal'), 'wx+');
});

afterEach(async () => {
  closeSync(fd);
  await folder[Symbol.asyncDispose]();
});

/** A batch of one FP32 input `[rows, 2]`, with the rows of each member. */
function batch(values: readonly number[], memberRows: readonly number[]): RunMessage {
  const slab = new SharedArrayBuffer(4096);
  new Float32Array(slab, 64, values.length).set(values);
  return {
    kind: 'run',
    slab,
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [values.length / 2, 2], byteOffset: 64 }],
    placedOutputs: [],
    sentOutputs: [],
    memberRows,
  };
}

const never: readonly CrashSuspect[] = [];

describe('what runs', () => {
  test('is there from its start to its end, by model and by inputs', () => {
    const journal = new RunJournal(fd, never);
    const [a, b] = [journal.open(), journal.open()];
    const [one, other] = [new JournalWriter(a, 'model-a'), new JournalWriter(b, 'model-b')];
    expect(readRunning(fd)).toEqual([]);
    one.begin(batch([1, 2, 3, 4, 5, 6], [1, 2]));
    other.begin(batch([1, 2], [1]));
    const running = readRunning(fd);
    expect(running).toHaveLength(3);
    expect(new Set(running).size).toBe(3);
    one.end();
    expect(readRunning(fd)).toEqual(running.slice(2));
    other.end();
    expect(readRunning(fd)).toEqual([]);
  });

  test('has the same name in any batch and in any slot', () => {
    const journal = new RunJournal(fd, never);
    const slots = [journal.open(), journal.open()] as const;
    const [first, second] = [new JournalWriter(slots[0], 'model'), new JournalWriter(slots[1], 'model')];
    first.begin(batch([9, 9, 1, 2], [1, 1]));
    second.begin(batch([1, 2, 7, 7, 7, 7], [1, 2]));
    const [, inFirst, inSecond] = readRunning(fd);
    expect(inFirst).toBe(inSecond);
  });

  test('of a worker that died is taken out, and its slot is used again', () => {
    const journal = new RunJournal(fd, never);
    const slot = journal.open();
    new JournalWriter(slot, 'model').begin(batch([1, 2], [1]));
    journal.close(slot);
    expect(readRunning(fd)).toEqual([]);
    expect(journal.open().slot).toBe(slot.slot);
  });

  test('is all there for a batch of thousands', () => {
    const rows = 3000;
    const slab = new SharedArrayBuffer(rows * 8);
    const values = new Float32Array(slab).map((_, index) => index);
    new Float32Array(slab).set(values);
    const writer = new JournalWriter(new RunJournal(fd, never).open(), 'model');
    writer.begin({
      ...batch([], Array<number>(rows).fill(1)),
      slab,
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [rows, 2], byteOffset: 0 }],
    });
    expect(new Set(readRunning(fd)).size).toBe(rows);
  });
});

describe('after crashes', () => {
  const message = batch([1, 2, 3, 4, 5, 6], [1, 1, 1]);

  function suspects(...verdicts: readonly CrashSuspect['verdict'][]): readonly CrashSuspect[] {
    new JournalWriter(new RunJournal(fd, never).open(), 'model').begin(message);
    return readRunning(fd)
      .slice(0, verdicts.length)
      .map((name, index) => ({
        name,
        verdict: verdicts[index] ?? 'suspected',
        untilMs: Date.now() + 60_000,
      }));
  }

  const writerKnowing = (known: readonly CrashSuspect[]): JournalWriter =>
    new JournalWriter(new RunJournal(fd, known).open(), 'model');

  test('a batch with suspects in it is not run, and is not written down', () => {
    const writer = writerKnowing(suspects('refused', 'suspected'));
    expect(writer.begin(message)).toEqual({ refused: [0], suspected: [1] });
    expect(readRunning(fd)).toEqual([]);
  });

  test('a suspect by itself is run, unless it was at two', () => {
    const writer = writerKnowing(suspects('refused', 'suspected'));
    expect(writer.begin(batch([1, 2], [1]))).toEqual({ refused: [0], suspected: [] });
    expect(writer.begin(batch([3, 4], [1]))).toBeUndefined();
  });

  test('the same inputs to another model are no suspect', () => {
    const journal = new RunJournal(fd, suspects('refused'));
    expect(new JournalWriter(journal.open(), 'another').begin(message)).toBeUndefined();
  });

  test('what is over is over', () => {
    const expired = suspects('refused').map((suspect) => ({ ...suspect, untilMs: Date.now() - 1 }));
    expect(writerKnowing(expired).begin(message)).toBeUndefined();
  });
});

test('members are told apart by every input, strings too', () => {
  const slab = new SharedArrayBuffer(4096);
  new Float32Array(slab).set([1, 1, 1, 1]);
  const message: RunMessage = {
    kind: 'run',
    slab,
    inputs: [
      { name: 'A', datatype: 'FP32', shape: [4, 1], byteOffset: 0 },
      { name: 'B', datatype: 'BYTES', shape: [4, 2], data: ['a', 'bc', 'ab', 'c', 'a', 'bc', 'a', 'bd'] },
    ],
    placedOutputs: [],
    sentOutputs: [],
    memberRows: [1, 1, 1, 1],
  };
  const digests = digestMembers(message).map((digest) => digest.toString('hex'));
  expect(digests[0]).toBe(digests[2]);
  expect(new Set(digests).size).toBe(3);
});

describe('the opening of a file', () => {
  const open = async (verdict: CrashSuspect['verdict']) => {
    const file = join(folder.path, 'model.onnx');
    await folder.write({ 'model.onnx': 'a model' });
    const before = new JournalWriter(new RunJournal(fd, never).open(), file);
    before.beginOpening(file);
    const suspects = readRunning(fd).map((name) => ({ name, verdict, untilMs: Date.now() + 60_000 }));
    before.end();
    expect(readRunning(fd)).toEqual([]);
    const journal = new RunJournal(fd, suspects);
    return { file, suspects, journal, writer: new JournalWriter(journal.open(), file) };
  };

  test('is there until it ends', async () => {
    expect((await open('suspected')).suspects).toHaveLength(1);
  });

  test('that was under way at one crash goes on, with no other beside it', async () => {
    const { file, journal, writer } = await open('suspected');
    writer.beginOpening(file);
    expect(readRunning(fd)).toHaveLength(1);
    expect([journal.hasCrashedOpening, new RunJournal(fd, never).hasCrashedOpening]).toEqual([true, false]);
  });

  test('that was under way at two is refused, until it is another file', async () => {
    const { file, writer } = await open('refused');
    expect(() => {
      writer.beginOpening(file);
    }).toThrow(/crashed twice while it opened this file/);
    expect(readRunning(fd)).toEqual([]);
    await folder.write({ 'model.onnx': 'another model' });
    writer.beginOpening(file);
    expect(readRunning(fd)).toHaveLength(1);
  });

  test('is told from a run', () => {
    new JournalWriter(new RunJournal(fd, never).open(), 'model').begin(batch([1, 2], [1]));
    const suspects = readRunning(fd).map((name) => ({
      name,
      verdict: 'suspected' as const,
      untilMs: Infinity,
    }));
    expect(new RunJournal(fd, suspects).hasCrashedOpening).toBe(false);
  });
});
