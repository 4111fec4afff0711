import { BackendError } from '../errors.ts';
import type { BatchMember, BatchResult, BatchRunner } from './runner.ts';
import { MembersKeptBack, RunThrew } from './runner.ts';

/** Where a member's outputs are: in the result of the run that it was part of. */
interface Part {
  readonly result: BatchResult;
  readonly index: number;
}

/**
 * Lets a member that can't be run fail alone.
 *
 * A batch whose run throws is halved, and the halves are run in its place, down to single members: one poisonous member
 * among n costs at most 2 log2(n) more runs. Members that were running when the process crashed are run by themselves, or
 * not at all. Whoever hung up or expired in the meantime is left out.
 */
export class FaultIsolatingRunner implements BatchRunner {
  readonly #inner: BatchRunner;

  constructor(inner: BatchRunner) {
    this.#inner = inner;
  }

  async run(members: readonly BatchMember[], rows: number): Promise<BatchResult> {
    try {
      return await this.#inner.run(members, rows);
    } catch (error) {
      const groups = groupsAfter(error, members);
      if (groups === undefined) throw error;
      return this.#runGroups(members, groups);
    }
  }

  async #runGroups(
    members: readonly BatchMember[],
    groups: readonly (readonly BatchMember[])[],
  ): Promise<BatchResult> {
    const parts = new Map<BatchMember, Part>();
    try {
      for (const group of groups) await this.#runGroup(group, parts);
    } catch (error) {
      for (const { result } of parts.values()) result.release();
      throw error;
    }
    return joinParts(members, parts);
  }

  async #runGroup(group: readonly BatchMember[], parts: Map<BatchMember, Part>): Promise<void> {
    const members = group.filter((member) => !member.isSettled);
    if (members.length === 0) return;
    try {
      const rows = members.reduce((sum, member) => sum + member.rows, 0);
      const result = await this.#inner.run(members, rows);
      members.forEach((member, index) => parts.set(member, { result, index }));
    } catch (error) {
      const groups = groupsAfter(error, members);
      if (groups !== undefined) {
        for (const smaller of groups) await this.#runGroup(smaller, parts);
      } else if (error instanceof RunThrew) {
        for (const member of members) member.reject(error);
      } else {
        throw error;
      }
    }
  }
}

/** How a batch is to be run again after an error that not all its members may be to blame for; undefined: it isn't. */
function groupsAfter(
  error: unknown,
  members: readonly BatchMember[],
): readonly (readonly BatchMember[])[] | undefined {
  if (error instanceof RunThrew && members.length > 1) {
    const middle = Math.ceil(members.length / 2);
    return [members.slice(0, middle), members.slice(middle)];
  }
  if (error instanceof MembersKeptBack) {
    for (const index of error.refused) members[index]?.reject(refusal());
    const apart = new Set([...error.refused, ...error.suspected]);
    const suspected = error.suspected.flatMap((index) => members.slice(index, index + 1));
    return [members.filter((_, index) => !apart.has(index)), ...suspected.map((member) => [member])];
  }
  return undefined;
}

function refusal(): BackendError {
  return new BackendError(
    'crash_suspect',
    'the same request was running at two crashes of the server, and is refused until ten minutes after the second one',
  );
}

/** One result of several: each member finds its outputs in its own run. */
function joinParts(members: readonly BatchMember[], parts: ReadonlyMap<BatchMember, Part>): BatchResult {
  const results = new Set([...parts.values()].map(({ result }) => result));
  let computeMs = 0;
  for (const result of results) computeMs += result.computeMs;
  let shares = members.length;
  return {
    computeMs,
    outputsOf(index) {
      const member = members[index];
      const part = member === undefined ? undefined : parts.get(member);
      if (part === undefined) throw new Error(`member ${index} of the batch has no outputs`);
      return part.result.outputsOf(part.index);
    },
    release() {
      // Who gives back is not said, so that all runs' memory is lent until the last member has given back its share.
      shares -= 1;
      if (shares === 0) for (const { result } of parts.values()) result.release();
    },
  };
}
