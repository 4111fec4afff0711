import { RunHung } from './instance.ts';
import type { OnnxInstance, RunResult } from './instance.ts';
import type { RunMessage } from './messages.ts';

/** A run of a version that has no callers yet goes on past its limit: the version is not loaded. */
export class FirstRunHung extends Error {
  constructor(what: string, limitMs: number, cause: RunHung) {
    super(
      `the model has not answered ${what} for ${limitMs / 1000} s (timeouts.warmup); ` +
        'the thread and the memory of that run are freed when it ends',
      { cause },
    );
    this.name = 'FirstRunHung';
  }
}

/**
 * A run before the version has callers.
 *
 * @param what how the message names it
 * @param limitMs after that the run counts as hung; undefined: it may take as long as it takes
 * @throws FirstRunHung; what else {@link OnnxInstance.run} throws
 */
export async function firstRun(
  instance: OnnxInstance,
  message: RunMessage,
  what: string,
  limitMs: number | undefined,
): Promise<RunResult> {
  try {
    return await instance.run(message, limitMs);
  } catch (error) {
    if (limitMs === undefined || !(error instanceof RunHung)) throw error;
    throw new FirstRunHung(what, limitMs, error);
  }
}
