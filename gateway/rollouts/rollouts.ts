import type { Logger } from 'pino';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import { signatureMisfit } from '../../backends/signature-misfit.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { rolloutCommands } from '../../experiments/rollouts/rollout-step.ts';
import type { RolloutCommands } from '../../experiments/standing/command.ts';
import type { Fence } from '../../experiments/stores/state-store.ts';
import type { EndedRequest } from '../pipeline/ended-request.ts';
import { describing } from '../signatures/describe.ts';
import { settledCounts } from '../standing/settled-counts.ts';
import type { StandingBook } from '../standing/standing-book.ts';
import { LeaderElection } from '../state/leader-election.ts';
import type { GatewayState } from '../state/state.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { askPrometheus, askWebhook } from './analysis-checks.ts';
import { FaultWatch } from './fault-watch.ts';
import { mirrorEvidence } from './mirror-evidence.ts';
import { OBJECTION_MS, Objections, askedOf } from './objections.ts';
import { deathsOfTarget } from './process-deaths.ts';
import type { DiedUnder } from './process-deaths.ts';
import { RolloutController } from './rollout-controller.ts';
import type { DryRun } from './rollout-controller.ts';
import { RolloutJudge } from './rollout-judge.ts';
import { RolloutSteps } from './rollout-steps.ts';

/** A change is in force on every replica after that. */
const SPREAD_MS = 1000;

export interface RolloutsOptions {
  readonly experiments: StandingBook;
  readonly repository: ModelRepository;
  /** The servers of variants that live elsewhere. */
  readonly upstreams: Pick<Upstreams, 'of'>;
  readonly state: GatewayState;
  /** Names this process; no other has the same. */
  readonly replica: string;
  readonly log: Logger;
}

/** The rollouts of this process: the controller, where it leads, and what watches for hard floors, always. */
export class Rollouts {
  /** What rollouts make of a person's command. */
  readonly commands: RolloutCommands;
  readonly #experiments: StandingBook;
  readonly #store: GatewayState['store'];
  readonly #controller: RolloutController;
  readonly #watch: FaultWatch;
  /** Undefined: no other process has this state. */
  readonly #election: LeaderElection | undefined;
  /** Undefined: nobody else could be kept waiting. */
  readonly #objections: Objections | undefined;

  constructor({ experiments, repository, upstreams, state, replica, log }: RolloutsOptions) {
    const { store, exposures } = state;
    const isShared = store.kind === 'redis';
    const isReady = (model: string, variant: Variant): boolean =>
      variant.upstream === undefined
        ? repository.model(model)?.version(variant.version) !== undefined
        : upstreams.of(variant)?.isReady === true;
    const describe = describing(repository, upstreams);
    const misfitOf = ({ model, control }: Experiment, variant: Variant): string | undefined => {
      const [usual, other] = [describe(model, control), describe(model, variant)];
      return usual === undefined || other === undefined ? undefined : signatureMisfit(usual, other);
    };
    this.commands = rolloutCommands(isReady, misfitOf);
    this.#experiments = experiments;
    this.#store = store;
    this.#election = isShared
      ? new LeaderElection({
          leases: store,
          name: 'rollouts',
          holder: replica,
          onChange: (isLeader) => {
            log.info(
              { replica },
              isLeader ? 'this replica drives the rollouts' : 'another replica drives the rollouts',
            );
          },
        })
      : undefined;
    const objections = new Objections({
      situations: () => experiments.situations,
      leases: store,
      replica,
      isReady,
    });
    this.#objections = isShared ? objections : undefined;
    const nowMs = (): number => store.nowMs();
    const lead = (): 'alone' | Fence | undefined =>
      this.#election === undefined ? 'alone' : this.#election.fence;
    this.#controller = new RolloutController({
      experiments,
      judge: new RolloutJudge({
        experiments,
        counts: settledCounts(store, experiments),
        flushExposures: () => exposures.flush(),
        askPrometheus,
        askWebhook,
        mirrorEvidence: (experiment, variant) => mirrorEvidence(state, experiment, variant),
        nowMs,
      }),
      steps: new RolloutSteps({ experiments, isReady, misfitOf, lead, replica, log, nowMs }),
      isLeading: () => lead() !== undefined,
      objector: (experiment, target) => objections.objector(experiment, target),
      objectionMs: isShared ? OBJECTION_MS : 0,
      spreadMs: isShared ? SPREAD_MS : 0,
      nowMs,
      log,
    });
    this.#watch = new FaultWatch((experiment, met, target) => {
      log.error({ experiment, ...met }, 'what is rolled out met a hard floor');
      this.#controller.meetFloor(experiment, { ...met, target });
    });
  }

  start(): void {
    this.#election?.start();
    this.#objections?.start();
    this.#controller.start();
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    await this.#objections?.stop();
    await this.#election?.stop();
  }

  answered(ended: EndedRequest): void {
    this.#watch.answered(ended);
  }

  workerDied(model: string, version: number, reason: string): void {
    this.#watch.workerDied(this.#experiments.current, model, version, reason);
  }

  /** Processes before this one died while they ran these versions. Resolves when what that takes back is stored, or the store is away. */
  async processesDied(died: readonly DiedUnder[]): Promise<void> {
    const remembered = { isKept: this.#store.kind !== 'memory', nowMs: this.#store.nowMs() };
    for (const situation of this.#experiments.situations) {
      const { experiment } = situation;
      const deaths = deathsOfTarget(situation, died, remembered);
      if (deaths > 0)
        this.#watch.processesDied(this.#experiments.current.byKey.get(experiment.key) ?? experiment, deaths);
    }
    await this.#controller.settled();
  }

  /**
   * Another replica that can't answer for a variant of an experiment.
   *
   * @throws StoreUnavailable
   */
  async objector(experiment: string, variant: Variant): Promise<string | undefined> {
    return this.#objections?.objector(experiment, askedOf(variant));
  }

  /** What an analysis would decide now; undefined where the experiment has no rollout that is driven. */
  dryRun(key: string): Promise<DryRun | undefined> {
    return this.#controller.dryRun(key);
  }
}
