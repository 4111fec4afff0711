import { epochOf } from '../../experiments/epoch.ts';
import type { PredictionIds, UnitKey } from '../../experiments/prediction-id.ts';
import { countsInResults, unitKeyOf } from '../../experiments/unit-key.ts';
import { summarise } from '../answers/answer-summary.ts';
import type { ExposureRecorder } from '../exposures/recorder.ts';
import type { Outcome } from '../telemetry/metrics.ts';
import type { Bearing } from './bearing.ts';
import type { Target } from './call.ts';
import type { AnswerTimes, MeasuredRun } from './run-times.ts';

/** A prediction under way. */
export interface Prediction {
  readonly id: string;
  readonly atMs: number;
  readonly unit: UnitKey | undefined;
}

/** Names each routed request by a signed id, and notes what became of those that an experiment routed. */
export class PredictionLog {
  readonly #ids: PredictionIds;
  readonly #exposures: ExposureRecorder;
  readonly #nowMs: () => number;

  /** @param nowMs milliseconds since 1970, of the clock that all who share the state agree on */
  constructor(ids: PredictionIds, exposures: ExposureRecorder, nowMs: () => number) {
    this.#ids = ids;
    this.#exposures = exposures;
    this.#nowMs = nowMs;
  }

  begin({ choice, version: servable }: Target): Prediction {
    const { version } = servable.about;
    const atMs = this.#nowMs();
    if (choice === undefined) return { id: this.#ids.issue(unrouted(atMs, version)), atMs, unit: undefined };
    const { experiment, variant } = choice;
    const unit = unitKeyOf(choice);
    const id = this.#ids.issue({
      issuedMs: atMs,
      experiment: experiment.key,
      variant: variant.name,
      phase: experiment.phase,
      epoch: epochOf(experiment).epoch,
      counts: countsInResults(choice),
      unit,
      version,
    });
    return { id, atMs, unit };
  }

  /** To be called while the answer's memory is lent. */
  end(
    { id, atMs, unit }: Prediction,
    { choice, version }: Target,
    { outcome, bearing }: { readonly outcome: Outcome; readonly bearing: Bearing },
    totalMs: number,
    times: AnswerTimes | undefined,
    run: MeasuredRun,
    keyId: string,
  ): void {
    if (choice === undefined) return;
    const answer = times !== undefined && 'outputs' in times ? times : undefined;
    this.#exposures.record({
      atMs,
      predictionId: id,
      choice,
      unit,
      version,
      keyId,
      outcome,
      bearing,
      answered:
        outcome === 'ok' && answer !== undefined && unit !== undefined && countsInResults(choice)
          ? summarise(answer, version.about)
          : undefined,
      cache: answer?.cache,
      totalMs,
      ...run,
    });
  }
}

/** Such an id says that no experiment made the decision: its outcomes are not counted. */
function unrouted(issuedMs: number, version: number): Parameters<PredictionIds['issue']>[0] {
  return {
    issuedMs,
    experiment: '',
    variant: '',
    phase: 0,
    epoch: 0,
    counts: false,
    unit: undefined,
    version,
  };
}
