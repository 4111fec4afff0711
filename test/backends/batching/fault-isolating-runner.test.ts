import { describe, expect, test } from 'vitest';
import { FaultIsolatingRunner } from '../../../backends/batching/fault-isolating-runner.ts';
import type { BatchMember, BatchResult, BatchRunner } from '../../../backends/batching/runner.ts';
import { MembersKeptBack, RunThrew, RunnerGone } from '../../../backends/batching/runner.ts';
import { BackendError } from '../../../backends/errors.ts';

/** A member that remembers how it was failed. */
class Member implements BatchMember {
  readonly request;
  readonly rows = 1;
  isSettled = false;
  fault: string | undefined;

  constructor(name: string) {
    this.request = { inputs: [], outputs: [name], deadlineMs: Infinity };
  }

  reject(error: BackendError): void {
    this.isSettled = true;
    this.fault = error.fault;
  }
}

/** Answers each member with its own name, unless `check` throws; counts the memory that is lent. */
class CheckedRunner implements BatchRunner {
  readonly runs: string[] = [];
  lent = 0;
  readonly #check: (names: readonly string[], run: number) => void;

  constructor(check: (names: readonly string[], run: number) => void) {
    this.#check = check;
  }

  run(members: readonly BatchMember[]): Promise<BatchResult> {
    const names = members.map((member) => member.request.outputs?.join() ?? '');
    this.runs.push(names.join(''));
    try {
      this.#check(names, this.runs.length);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    this.lent += members.length;
    return Promise.resolve({
      computeMs: 10,
      outputsOf: (index) => [{ name: names[index] ?? '', datatype: 'BYTES', shape: [0], data: [] }],
      release: () => {
        this.lent -= 1;
      },
    });
  }
}

const membersOf = (names: string): readonly Member[] => Array.from(names, (name) => new Member(name));

function throwAt(poison: string): (names: readonly string[]) => void {
  return (names) => {
    if (names.some((name) => poison.includes(name))) throw new RunThrew('poisoned');
  };
}

function outputsOf(result: BatchResult, members: readonly Member[]): string {
  return members
    .map((member, index) => (member.isSettled ? '-' : (result.outputsOf(index)[0]?.name ?? '?')))
    .join('');
}

describe('a batch whose run throws', () => {
  test.each(['a', 'd', 'h', 'ah', 'cdef', 'abcdefg'])(
    'fails %s alone, and answers the others',
    async (poison) => {
      const inner = new CheckedRunner(throwAt(poison));
      const members = membersOf('abcdefgh');
      const result = await new FaultIsolatingRunner(inner).run(members, 8);
      expect(outputsOf(result, members)).toBe('abcdefgh'.replace(new RegExp(`[${poison}]`, 'g'), '-'));
      for (const member of members) expect(member.fault).toBe(member.isSettled ? 'run_failed' : undefined);
      members.forEach(() => {
        result.release();
      });
      expect(inner.lent).toBe(0);
    },
  );

  test('costs at most 2 log2(n) more runs for one poisonous member', async () => {
    const names = Array.from({ length: 64 }, (_, index) => String.fromCharCode(0x4e00 + index)).join('');
    const inner = new CheckedRunner(throwAt(names.charAt(37)));
    await new FaultIsolatingRunner(inner).run(membersOf(names), 64);
    expect(inner.runs.length - 1).toBe(2 * Math.log2(64));
  });

  test('counts the time of all the runs that gave answers', async () => {
    const inner = new CheckedRunner(throwAt('a'));
    const result = await new FaultIsolatingRunner(inner).run(membersOf('abcd'), 4);
    expect([inner.runs, result.computeMs]).toEqual([['abcd', 'ab', 'a', 'b', 'cd'], 20]);
  });

  test('is not run again for those who hung up in the meantime', async () => {
    const members = membersOf('abcd');
    const inner = new CheckedRunner((names, run) => {
      if (run === 1) members[3]?.reject(new BackendError('cancelled', 'the caller hung up'));
      throwAt('a')(names);
    });
    const result = await new FaultIsolatingRunner(inner).run(members, 4);
    expect(inner.runs).toEqual(['abcd', 'ab', 'a', 'b', 'c']);
    expect(outputsOf(result, members)).toBe('-bc-');
  });

  test('of one member fails at once', async () => {
    const inner = new CheckedRunner(throwAt('a'));
    await expect(new FaultIsolatingRunner(inner).run(membersOf('a'), 1)).rejects.toBeInstanceOf(RunThrew);
    expect(inner.runs).toEqual(['a']);
  });

  test('gives back what it had, when the instance dies while it is run again', async () => {
    const inner = new CheckedRunner((_, run) => {
      if (run === 3) throw new RunnerGone(new Error('out of heap'));
      if (run === 1) throw new RunThrew('poisoned');
    });
    const members = membersOf('abcd');
    await expect(new FaultIsolatingRunner(inner).run(members, 4)).rejects.toBeInstanceOf(RunnerGone);
    expect(inner.lent).toBe(0);
    expect(members.filter((member) => member.isSettled)).toEqual([]);
  });
});

test('an error that no member is to blame for is not looked for among them', async () => {
  const inner = new CheckedRunner(() => {
    throw new BackendError('run_failed', "the model doesn't batch along its first dimension");
  });
  await expect(new FaultIsolatingRunner(inner).run(membersOf('abcd'), 4)).rejects.toThrow("doesn't batch");
  expect(inner.runs).toEqual(['abcd']);
});

test('members that were running at a crash are run alone, or refused, and the others together', async () => {
  const inner = new CheckedRunner((_, run) => {
    if (run === 1) throw new MembersKeptBack([1], [0, 3]);
  });
  const members = membersOf('abcde');
  const result = await new FaultIsolatingRunner(inner).run(members, 5);
  expect(inner.runs).toEqual(['abcde', 'ce', 'a', 'd']);
  expect(outputsOf(result, members)).toBe('a-cde');
  expect(members.map((member) => member.fault)).toEqual([
    undefined,
    'crash_suspect',
    undefined,
    undefined,
    undefined,
  ]);
});

test('a batch of none but a refused member is over', async () => {
  const inner = new CheckedRunner(() => {
    throw new MembersKeptBack([0], []);
  });
  const members = membersOf('a');
  const result = await new FaultIsolatingRunner(inner).run(members, 1);
  members.forEach(() => {
    result.release();
  });
  expect([inner.runs, members[0]?.fault]).toEqual([['a'], 'crash_suspect']);
});
