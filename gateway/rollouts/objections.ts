import type { RolloutTarget } from '../../experiments/rollouts/state.ts';
import type { Experiment } from '../../experiments/definition.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import type { Leases } from '../../experiments/stores/state-store.ts';
import type { Variant } from '../../experiments/variant.ts';

const OBJECT_EVERY_MS = 500;
/** A replica that dies objects no longer after that. */
const TTL_MS = 3000;

/** How long the others get to object before anybody is sent to what is new. */
export const OBJECTION_MS = 2 * OBJECT_EVERY_MS;

export interface ObjectionsOptions {
  readonly situations: () => readonly Situation[];
  readonly leases: Leases;
  /** Names this process; no other has the same. */
  readonly replica: string;
  /** Whether a variant of a model can answer here. */
  readonly isReady: (model: string, variant: Variant) => boolean;
}

/**
 * Whoever leads a rollout, or carries out a command, knows only of its own versions. A replica that can't answer for a variant says so, by a lease
 * that it keeps as long as that is so; one at a time holds it, which is enough to keep units from being sent there.
 */
export class Objections {
  readonly #options: ObjectionsOptions;
  readonly #raised = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ObjectionsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, OBJECT_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /**
   * Another replica that can't answer for a variant.
   *
   * @throws StoreUnavailable
   */
  async objector(
    experiment: string,
    target: Pick<RolloutTarget, 'variant' | 'version'>,
  ): Promise<string | undefined> {
    const { leases, replica } = this.#options;
    const holder = await leases.leaseHolder(leaseOf(experiment, target));
    return holder === replica ? undefined : holder;
  }

  async #look(): Promise<void> {
    const { situations, leases, replica, isReady } = this.#options;
    const wanted = new Set<string>();
    // Also of a rollout that is over: a person may begin it again.
    for (const { experiment } of situations())
      for (const variant of others(experiment))
        if (!isReady(experiment.model, variant)) wanted.add(leaseOf(experiment.key, askedOf(variant)));
    const over = [...this.#raised].filter((lease) => !wanted.has(lease));
    // A store that is away holds the rollout itself, and lets the lease run out.
    await Promise.allSettled([
      ...[...wanted].map((lease) => leases.acquireLease(lease, replica, TTL_MS)),
      ...over.map((lease) => leases.releaseLease(lease, replica)),
    ]);
    for (const lease of over) this.#raised.delete(lease);
    for (const lease of wanted) this.#raised.add(lease);
  }
}

/** The variants that units may be sent to instead of the control. */
function others({ status, variants, control }: Experiment): readonly Variant[] {
  return status === 'completed' ? [] : variants.filter(({ name }) => name !== control.name);
}

/** What a replica is asked of a variant; version 0: of a server elsewhere that is asked for no version of its own. */
export function askedOf({ name, version, upstream }: Variant): Pick<RolloutTarget, 'variant' | 'version'> {
  return { variant: name, version: version ?? upstream.version ?? 0 };
}

function leaseOf(
  experiment: string,
  { variant, version }: Pick<RolloutTarget, 'variant' | 'version'>,
): string {
  return `not-ready:${experiment}:${variant}:${version}`;
}
