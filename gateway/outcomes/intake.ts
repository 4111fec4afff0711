import type { Experiment } from '../../experiments/definition.ts';
import type { PredictionIds } from '../../experiments/prediction-id.ts';
import type { Outcome } from '../../experiments/stores/ledger.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import { GatewayError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Principal } from '../trust/principal.ts';
import { judge, statusMessage } from './judge.ts';
import type { RejectionCode, SentOutcome } from './judge.ts';
import type { OutcomeWriter } from './outcome-writer.ts';

/** The answer to outcomes, in the contract's words. */
export interface OutcomesReport {
  readonly accepted: number;
  readonly rejected: readonly {
    /** The outcome's place in what was sent, from 0. */
    readonly index: number;
    readonly code: RejectionCode;
    readonly message: string;
  }[];
}

/** What stands in a list of outcomes and is none. */
export interface MalformedOutcome {
  /** What is wrong with it, and what would be right. */
  readonly malformed: string;
}

export interface OutcomeIntakeOptions {
  readonly ids: PredictionIds;
  readonly experiments: () => ReadonlyMap<string, Experiment>;
  /** Hands on the exposures there are, so that a unit's first request is in the store before its outcome. */
  readonly flushExposures: () => void;
  readonly writer: OutcomeWriter;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
}

/** Takes outcomes: what can be judged without the store is told at once, the rest is kept before it is acknowledged. */
export class OutcomeIntake {
  readonly #options: OutcomeIntakeOptions;

  constructor(options: OutcomeIntakeOptions) {
    this.#options = options;
  }

  /**
   * @param principal who sends them; a key for some models takes part in the experiments of these only
   * @throws GatewayError `state_unavailable` when outcomes can be kept nowhere; they may be sent again as they are
   */
  async take(
    sent: readonly (SentOutcome | MalformedOutcome)[],
    principal: Principal,
  ): Promise<OutcomesReport> {
    const { ids, experiments, metrics, nowMs } = this.#options;
    const known = experiments();
    const atMs = nowMs();
    const rejected: OutcomesReport['rejected'][number][] = [];
    const kept: { readonly index: number; readonly outcome: Outcome }[] = [];
    sent.forEach((item, index) => {
      if ('malformed' in item) {
        rejected.push({ index, code: 'bad_value', message: item.malformed });
        return;
      }
      const judged = judge(item, ids, known, principal, atMs);
      if (judged.kind === 'outcome') kept.push({ index, outcome: judged.outcome });
      else rejected.push({ index, code: judged.code, message: judged.message });
    });
    const statuses = await this.#write(kept.map(({ outcome }) => outcome));
    let accepted = 0;
    kept.forEach(({ index, outcome }, at) => {
      const status = statuses[at] ?? 'accepted';
      if (status === 'accepted') {
        accepted += 1;
        metrics.recordOutcome(outcome.experiment, outcome.variant, outcome.metric.name);
      } else rejected.push({ index, code: status, message: statusMessage(status) });
    });
    for (const { code } of rejected) metrics.recordRejectedOutcome(code);
    return { accepted, rejected: rejected.sort((a, b) => a.index - b.index) };
  }

  async #write(outcomes: readonly Outcome[]): Promise<Awaited<ReturnType<OutcomeWriter['write']>>> {
    if (outcomes.length === 0) return [];
    this.#options.flushExposures();
    try {
      return await this.#options.writer.write(outcomes);
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      throw new GatewayError('state_unavailable', 'outcomes can not be kept now; send them again later', {
        cause,
      });
    }
  }
}
