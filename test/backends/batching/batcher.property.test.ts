/** Whatever callers and instances do: nobody is lost, nobody is answered twice, and the order holds. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batcher } from '../../../backends/batching/batcher.ts';
import type { BatchingConfig } from '../../../backends/batching/batching-config.ts';
import { RunnerGone } from '../../../backends/batching/runner.ts';
import type { BatchMember, BatchResult, BatchRunner } from '../../../backends/batching/runner.ts';
import { BackendError } from '../../../backends/errors.ts';
import { DEFAULT_MODEL_CONFIG } from '../../../backends/repository/model-config.ts';
import { Device } from '../../../backends/scheduling/device.ts';

const MAX_ROWS = 4;

interface Caller {
  /** Turns of the event loop since the caller before it came. */
  readonly gapTurns: number;
  readonly rows: number;
  readonly lane: string;
  readonly priority: number;
  readonly timeoutMs: number;
  /** Turns after which it hangs up; undefined: never. */
  readonly hangsUpAfterTurns: number | undefined;
}

/** How one batch after the other ends: after so many turns, well or badly. */
interface End {
  readonly turns: number;
  readonly how: 'answered' | 'failed' | 'gone';
}

const caller: fc.Arbitrary<Caller> = fc.record({
  gapTurns: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) }),
  rows: fc.integer({ min: 1, max: MAX_ROWS }),
  lane: fc.constantFrom('narrow', 'wide'),
  priority: fc.nat(3),
  timeoutMs: fc.constantFrom(0, 1, 5),
  hangsUpAfterTurns: fc.option(fc.nat(10), { nil: undefined, freq: 3 }),
});

const end: fc.Arbitrary<End> = fc.record({
  turns: fc.nat(6),
  how: fc.oneof(
    { weight: 8, arbitrary: fc.constant('answered' as const) },
    { weight: 1, arbitrary: fc.constant('failed' as const) },
    { weight: 1, arbitrary: fc.constant('gone' as const) },
  ),
});

const batching: fc.Arbitrary<BatchingConfig> = fc.record({
  enabled: fc.boolean(),
  preferredBatchSizes: fc.constantFrom([], [2], [2, 3]),
  maxQueueDelayMs: fc.constantFrom(0, 1, 3),
  preserveOrdering: fc.boolean(),
  priorityLevels: fc.constantFrom(0, 3),
  defaultPriorityLevel: fc.constant(2),
  defaultQueuePolicy: fc.record({
    timeoutAction: fc.constantFrom('REJECT' as const, 'DELAY' as const),
    defaultTimeoutMs: fc.constantFrom(0, 2, 10),
    allowTimeoutOverride: fc.boolean(),
    maxQueueSize: fc.constantFrom(0, 5),
  }),
  priorityQueuePolicies: fc.constant(DEFAULT_MODEL_CONFIG.batching.priorityQueuePolicies),
  targetLatencyMs: fc.constantFrom(undefined, 20),
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** An instance that ends its batches as it is told, and notes what it was given. */
class ScriptedRunner implements BatchRunner {
  readonly #nextEnd: () => End;
  readonly #given: (members: readonly BatchMember[], rows: number) => void;
  isGone = false;

  constructor(nextEnd: () => End, given: (members: readonly BatchMember[], rows: number) => void) {
    this.#nextEnd = nextEnd;
    this.#given = given;
  }

  async run(members: readonly BatchMember[], rows: number): Promise<BatchResult> {
    if (this.isGone) throw new Error('a batch for an instance that is gone');
    this.#given(members, rows);
    const { turns: wait, how } = this.#nextEnd();
    await turns(wait);
    if (how === 'failed') throw new Error('failed');
    if (how === 'gone') {
      this.isGone = true;
      throw new RunnerGone(new Error('gone'));
    }
    return {
      computeMs: 1,
      outputsOf: (index) => {
        const name = members[index]?.request.outputs?.join() ?? '';
        return [{ name, datatype: 'BYTES', shape: [0], data: [] }];
      },
      release: () => undefined,
    };
  }
}

test('each request ends once, with its own answer or a reason, and the order of arrival holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      batching,
      fc.integer({ min: 1, max: 3 }),
      fc.array(caller, { minLength: 10, maxLength: 40 }),
      fc.array(end, { maxLength: 60 }),
      async (config, instances, callers, ends) => {
        const device = new Device(2);
        const batcher = new Batcher({ maxRows: MAX_ROWS, batching: config, device, permits: 1 });
        const given: string[] = [];
        const script = [...ends];
        const nextEnd = (): End => script.shift() ?? { turns: 1, how: 'answered' };
        const runners: ScriptedRunner[] = [];
        const addRunner = (): void => {
          const runner = new ScriptedRunner(nextEnd, (members, rows) => {
            expect(rows).toBe(members.reduce((sum, member) => sum + member.rows, 0));
            if (members.length > 1) expect(rows).toBeLessThanOrEqual(MAX_ROWS);
            if (!config.enabled) expect(members).toHaveLength(1);
            given.push(...members.map((member) => member.request.outputs?.join() ?? ''));
          });
          runners.push(runner);
          batcher.addRunner(runner);
        };
        for (let count = 0; count < instances; count++) addRunner();

        const answered: string[] = [];
        const outcomes: Promise<string>[] = [];
        for (const [
          number,
          { gapTurns, rows, lane, priority, timeoutMs, hangsUpAfterTurns },
        ] of callers.entries()) {
          await turns(gapTurns);
          const connection = new AbortController();
          const name = String(number);
          const request = {
            inputs: [],
            outputs: [name],
            deadlineMs: Infinity,
            priority,
            timeoutMs,
            signal: connection.signal,
          };
          outcomes.push(
            batcher.submit(request, rows, lane).then(
              (answer) => {
                answered.push(name);
                answer.release();
                const [output] = answer.outputs;
                return output?.name === name ? 'answered' : `got the answer of ${output?.name ?? 'nobody'}`;
              },
              (error: unknown) => (error instanceof BackendError ? error.fault : String(error)),
            ),
          );
          if (hangsUpAfterTurns !== undefined) {
            void turns(hangsUpAfterTurns).then(() => {
              connection.abort();
            });
          }
        }
        const progress = { isOver: false };
        const ended = Promise.all(outcomes).finally(() => {
          progress.isOver = true;
        });
        // Instances that died are replaced, or those that wait would wait for ever.
        while (!progress.isOver) {
          await turns(1);
          for (const runner of runners.filter((one) => one.isGone)) {
            runners.splice(runners.indexOf(runner), 1);
            addRunner();
          }
        }
        for (const outcome of await ended) {
          expect([
            'answered',
            'cancelled',
            'queue_full',
            'queue_timeout',
            'deadline_unreachable',
            'run_failed',
          ]).toContain(outcome);
        }
        await batcher.drain();
        expect([batcher.queued, batcher.running, device.free]).toEqual([0, 0, 2]);

        const levelOf = (name: string): number => {
          const { priority = 0 } = callers[Number(name)] ?? {};
          return config.priorityLevels === 0 ? 0 : priority || config.defaultPriorityLevel;
        };
        const neverLate = config.defaultQueuePolicy.timeoutAction === 'REJECT';
        for (const level of new Set(callers.map((_, number) => levelOf(String(number))))) {
          // A request whose instance died is given to another one: only the first time counts.
          for (const lane of ['narrow', 'wide']) {
            const inLane = [...new Set(given)].filter(
              (name) => levelOf(name) === level && callers[Number(name)]?.lane === lane,
            );
            if (neverLate) expect(inLane).toEqual(inLane.toSorted((a, b) => Number(a) - Number(b)));
          }
          if (config.preserveOrdering && neverLate) {
            const left = answered.filter((name) => levelOf(name) === level);
            expect(left).toEqual(left.toSorted((a, b) => Number(a) - Number(b)));
          }
        }
        const times = (name: string): number => given.filter((one) => one === name).length;
        expect(Math.max(0, ...given.map(times))).toBeLessThanOrEqual(2);
      },
    ),
    { numRuns: 200 },
  );
});
