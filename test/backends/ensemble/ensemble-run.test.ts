import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EnsembleRun } from '../../../backends/ensemble/ensemble-run.ts';
import { planSteps } from '../../../backends/ensemble/ensemble-plan.ts';
import type { BoundStep } from '../../../backends/ensemble/ensemble-plan.ts';
import type { InferAnswer, InferRequest } from '../../../backends/inference.ts';
import { DEFAULT_MODEL_CONFIG } from '../../../backends/repository/model-config.ts';
import type { ModelConfig } from '../../../backends/repository/model-config.ts';
import type { Servable } from '../../../backends/servable.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';

/** A member whose runs are begun by the ensemble and ended by the test. */
class HeldMember {
  readonly about: { readonly model: string; readonly config: ModelConfig };
  readonly runs: { readonly request: InferRequest; readonly answer: (value: InferAnswer) => void }[] = [];
  #begun = Promise.withResolvers<undefined>();
  lent = 0;

  /** @param priorityLevels 0: it has none */
  constructor(model: string, priorityLevels: number) {
    const batching = { ...DEFAULT_MODEL_CONFIG.batching, priorityLevels };
    this.about = { model, config: { ...DEFAULT_MODEL_CONFIG, batching } };
  }

  infer(request: InferRequest): Promise<InferAnswer> {
    const { promise, resolve } = Promise.withResolvers<InferAnswer>();
    this.runs.push({ request, answer: resolve });
    this.#begun.resolve(undefined);
    return promise;
  }

  begun(): Promise<undefined> {
    return this.#begun.promise;
  }

  /** Ends the run that is under way. */
  end(): void {
    this.lent += 1;
    this.runs.at(-1)?.answer({
      outputs: [tensor('OUTPUT')],
      queueMs: 1,
      computeMs: 2,
      batchRows: 1,
      batchId: 1,
      release: () => {
        this.lent -= 1;
      },
    });
  }
}

function tensor(name: string): Tensor {
  return { name, datatype: 'FP32', shape: [1, 1], data: Float32Array.of(1) };
}

function step(member: HeldMember, from: string, to: string): BoundStep {
  return {
    step: {
      model: member.about.model,
      version: undefined,
      inputs: new Map([['INPUT', from]]),
      outputs: new Map([['OUTPUT', to]]),
    },
    // An ensemble asks nothing of a member but that it infers, and says its name and its levels.
    member: member as Pick<HeldMember, 'infer' | 'about'> as Servable,
  };
}

function runOf(steps: readonly BoundStep[], outputs: readonly string[], more: Partial<InferRequest> = {}) {
  const request = { inputs: [tensor('in')], deadlineMs: Infinity, ...more };
  return new EnsembleRun('both', planSteps(steps, outputs), request, request.inputs).run();
}

const members: HeldMember[] = [];
const held = (model: string, priorityLevels = 0): HeldMember => {
  const member = new HeldMember(model, priorityLevels);
  members.push(member);
  return member;
};
afterEach(() => {
  expect(members.map(({ lent }) => lent)).toEqual(members.map(() => 0));
  members.length = 0;
});

test('a step whose model has not so many levels as the caller names takes that model’s default, and the others what was asked for', async () => {
  const [few, many, none] = [held('few', 2), held('many', 5), held('none')];
  const running = runOf(
    [step(few, 'in', 'a'), step(many, 'in', 'b'), step(none, 'in', 'c')],
    ['a', 'b', 'c'],
    {
      priority: 4,
    },
  );
  const all = [few, many, none];
  await Promise.all(all.map((member) => member.begun()));
  expect(all.map(({ runs }) => runs[0]?.request.priority)).toEqual([undefined, 4, 4]);
  for (const member of all) member.end();
  (await running).release();
});

test('steps that don’t need each other are under way at once, and one that needs both begins when both are done', async () => {
  const [left, right, last] = [held('left'), held('right'), held('last')];
  const steps = [
    step(left, 'in', 'a'),
    step(right, 'in', 'b'),
    {
      ...step(last, 'a', 'out'),
      step: {
        model: 'last',
        version: undefined,
        inputs: new Map([
          ['A', 'a'],
          ['B', 'b'],
        ]),
        outputs: new Map([['OUTPUT', 'out']]),
      },
    },
  ];
  const running = runOf(steps, ['out']);
  await Promise.all([left.begun(), right.begun()]);
  left.end();
  // All that the first answer sets off has happened by the next turn of the event loop.
  await new Promise(setImmediate);
  expect(last.runs).toHaveLength(0);
  right.end();
  await last.begun();
  last.end();
  const outcome = await running;
  expect([...outcome.tensors.keys()]).toContain('out');
  expect(outcome.path).toEqual({ queueMs: 2, computeMs: 4 });
  expect(outcome.total).toEqual({ queueMs: 3, computeMs: 6 });
  outcome.release();
});

describe('between two steps', () => {
  // Time goes on only when a test says so, however busy the machine is.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('a caller that hung up ends it: the next step does not begin, and what was made is given back', async () => {
    const [first, second] = [held('first'), held('second')];
    const caller = new AbortController();
    const running = runOf([step(first, 'in', 'mid'), step(second, 'mid', 'out')], ['out'], {
      signal: caller.signal,
    });
    await first.begun();
    caller.abort();
    await expect(running).rejects.toMatchObject({ fault: 'cancelled' });
    expect(first.runs[0]?.request.signal?.aborted).toBe(true);
    first.end();
    await new Promise(setImmediate);
    expect(second.runs).toHaveLength(0);
  });

  test('a deadline that passed while the first step ran ends it with the place, before the next begins', async () => {
    const [first, second] = [held('first'), held('second')];
    const deadlineMs = performance.now() + 2;
    const running = runOf([step(first, 'in', 'mid'), step(second, 'mid', 'out')], ['out'], { deadlineMs });
    await first.begun();
    vi.advanceTimersByTime(3);
    first.end();
    await expect(running).rejects.toMatchObject({
      fault: 'expired_in_queue',
      message: "step 1 ('second') of ensemble 'both': the time was over before it began",
    });
    expect(second.runs).toHaveLength(0);
  });

  test('what the caller lets it wait is one time for all steps: the second has what the first left', async () => {
    const [first, second] = [held('first'), held('second')];
    const running = runOf([step(first, 'in', 'mid'), step(second, 'mid', 'out')], ['out'], {
      timeoutMs: 60_000,
    });
    await first.begun();
    vi.advanceTimersByTime(2);
    first.end();
    await second.begun();
    expect(second.runs[0]?.request.timeoutMs).toBe(60_000 - 2);
    second.end();
    (await running).release();
  });

  test('a step that fails ends those beside it', async () => {
    const [left, right] = [held('left'), held('right')];
    left.infer = () => Promise.reject(new Error('broken'));
    const running = runOf([step(left, 'in', 'a'), step(right, 'in', 'b')], ['a', 'b']);
    await expect(running).rejects.toThrow('broken');
    expect(right.runs[0]?.request.signal?.aborted).toBe(true);
    right.end();
    await new Promise(setImmediate);
  });
});
