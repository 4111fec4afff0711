import { StoreUnavailable } from '../../../../experiments/stores/state-store.ts';
import type { Gateway } from '../../../gateway.ts';
import { RELEASE } from '../../../release.ts';
import type { Principal } from '../../../trust/principal.ts';
import { describeExperiment } from '../describe-experiment.ts';
import { describeModel } from '../models.ts';
import type { EventStream } from './event-stream.ts';

/** Time between two looks at what has changed. */
const LOOK_EVERY_MS = 1000;

/** Time between two signs of life, and between two checks that the reader's key is still good. */
const BEAT_EVERY_MS = 15_000;

/** What an overview shows of an experiment may be so old; of the one that is watched, a look's time. */
const OVERVIEW_AGE_MS = 5000;

export interface Reader {
  readonly stream: EventStream;
  readonly principal: Principal;
  /** The key of the experiment whose results it follows; undefined: none. */
  readonly experiment: string | undefined;
  /** Whether it would still be let in. */
  readonly isStillAdmitted: () => Promise<boolean>;
}

interface Subscription extends Reader {
  /** What it was sent last, by event. */
  readonly sent: Map<string, string>;
}

/** Tells readers what changes: nothing is looked at while there are none, and each thing once for all of them. */
export class LiveFeed {
  readonly #gateway: Gateway;
  readonly #readers = new Set<Subscription>();
  /** Ends when there are no readers. */
  #isLooking = false;
  #beating: NodeJS.Timeout | undefined;
  /** Entries of the audit log at the last look; undefined: it was never read. */
  #audited: number | undefined;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** @returns ends it */
  add(reader: Reader): () => void {
    const subscription = { ...reader, sent: new Map<string, string>() };
    this.#readers.add(subscription);
    reader.stream.send('hello', JSON.stringify(this.#hello(reader.principal)));
    // What is known is told at once, and not with the next look.
    void this.#tell(subscription);
    if (!this.#isLooking) void this.#look();
    this.#beating ??= setInterval(() => {
      for (const each of this.#readers) void beat(each);
    }, BEAT_EVERY_MS);
    return () => {
      this.#readers.delete(subscription);
      if (this.#readers.size > 0) return;
      clearInterval(this.#beating);
      this.#beating = undefined;
    };
  }

  /** Ends every stream, so that the plane can close. */
  close(): void {
    for (const { stream } of this.#readers) {
      stream.send('stopping', '{}');
      stream.end();
    }
  }

  #hello({ id, scopes, models }: Principal) {
    const { door, state } = this.#gateway;
    return {
      release: RELEASE,
      beatMs: BEAT_EVERY_MS,
      store: state.store.kind,
      caller: {
        id,
        isOpen: door.admission.isOpen,
        scopes: [...scopes],
        models: models === undefined ? null : [...models],
      },
    };
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#readers.size > 0) {
      await Promise.all([this.#refreshOldest(), this.#readAudit()]);
      await Promise.all([...this.#readers].map((reader) => this.#tell(reader)));
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    this.#isLooking = false;
  }

  /** Reads one experiment of the overview anew: however many there are, a look takes no longer. */
  async #refreshOldest(): Promise<void> {
    const { experiments, results } = this.#gateway;
    const [oldest] = [...experiments.current.byKey.values()]
      .map((experiment) => ({ experiment, atMs: results.reader.latest(experiment)?.atMs ?? 0 }))
      .sort((a, b) => a.atMs - b.atMs);
    if (oldest === undefined) return;
    try {
      await results.reader.recent(oldest.experiment, OVERVIEW_AGE_MS);
    } catch (error) {
      this.#noteFault(error);
    }
  }

  async #readAudit(): Promise<void> {
    try {
      this.#audited = await this.#gateway.state.store.auditLength();
    } catch (error) {
      this.#noteFault(error);
    }
  }

  async #tell(reader: Subscription): Promise<void> {
    if (!reader.stream.isReady) return;
    tell(reader, 'experiments', this.#overview(reader.principal));
    tell(reader, 'models', this.#models(reader.principal));
    if (this.#audited !== undefined) tell(reader, 'audit', { length: this.#audited });
    await this.#tellResults(reader);
  }

  #overview({ models }: Principal) {
    const { experiments, results } = this.#gateway;
    return [...experiments.current.byKey.values()]
      .filter(({ model }) => models === undefined || models.has(model))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map((experiment) => {
        const latest = results.reader.latest(experiment)?.results;
        return {
          ...describeExperiment(experiment, experiments.situation(experiment.key)),
          reading: latest && {
            verdict: latest.verdict,
            decision: latest.decision,
            sampleRatio: { p: latest.health.srm.p, ok: latest.health.srm.ok },
            variants: latest.variants.map(({ name, units, exposures }) => ({ name, units, exposures })),
          },
        };
      });
  }

  #models({ models }: Principal) {
    return this.#gateway.repository.models
      .filter(({ name }) => models === undefined || models.has(name))
      .map(describeModel);
  }

  async #tellResults(reader: Subscription): Promise<void> {
    const { experiments, results } = this.#gateway;
    const experiment =
      reader.experiment === undefined ? undefined : experiments.current.byKey.get(reader.experiment);
    if (experiment === undefined) return;
    const { models } = reader.principal;
    if (models !== undefined && !models.has(experiment.model)) return;
    try {
      const reading = await results.reader.recent(experiment, LOOK_EVERY_MS / 2);
      tell(reader, 'results', reading.results, { atMs: reading.atMs });
    } catch (error) {
      this.#noteFault(error);
      if (error instanceof StoreUnavailable) tell(reader, 'fault', { message: error.message });
    }
  }

  #noteFault(error: unknown): void {
    if (error instanceof StoreUnavailable) return;
    this.#gateway.log.error({ err: error }, 'what the console shows could not be worked out');
  }
}

/** Sends what differs from what the reader was sent last. @param unwatched is sent with it, and makes no difference */
function tell(reader: Subscription, event: string, data: object, unwatched: object = {}): void {
  const json = JSON.stringify(data);
  if (reader.sent.get(event) === json) return;
  reader.sent.set(event, json);
  reader.stream.send(event, JSON.stringify({ data, ...unwatched }));
}

async function beat({ stream, isStillAdmitted }: Subscription): Promise<void> {
  if (await isStillAdmitted()) stream.beat();
  else stream.end();
}
