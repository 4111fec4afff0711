import type { Logger } from 'pino';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { PredictionIds } from '../../experiments/prediction-id.ts';
import type { Outcome } from '../../experiments/stores/ledger.ts';
import { openStore } from '../../experiments/stores/open-store.ts';
import type { StateStore } from '../../experiments/stores/state-store.ts';
import type { Config } from '../config/config.ts';
import type { ExposureSink, OnDrop } from '../exposures/exposure.ts';
import { LineSink } from '../exposures/line-sink.ts';
import type { LineTarget } from '../exposures/line-sink.ts';
import { ExposureRecorder } from '../exposures/recorder.ts';
import { RotatingFile } from '../exposures/rotating-file.ts';
import { StateSink } from '../exposures/state-sink.ts';
import { OutcomeIntake } from '../outcomes/intake.ts';
import { OutcomeWriter } from '../outcomes/outcome-writer.ts';
import { MirrorRecorder } from '../mirror/mirror-recorder.ts';
import { countAndTell } from '../telemetry/drops.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { SharedSecret } from './secret.ts';
import { SpoolPlace } from './spool-place.ts';
import { Spool } from './spool.ts';

/** The stream that exposures go to where they are kept in Redis. */
const EXPOSURES_STREAM = 'signalbox:exposures';

/** All that outlives a request: the store, the ids that outcomes come back with, and the ways into the store. */
export class GatewayState {
  readonly store: StateStore;
  readonly ids: PredictionIds;
  readonly exposures: ExposureRecorder;
  readonly outcomes: OutcomeIntake;
  readonly mirrors: MirrorRecorder;
  /** Where this process keeps on disk what the store can't take; undefined for stores that are on this machine themselves. */
  readonly place: SpoolPlace | undefined;
  readonly #secret: SharedSecret | undefined;
  readonly #writer: OutcomeWriter;

  /** @throws StoreUnavailable, Error where the store can't be opened, or has to be asked for the secret and is away */
  static async open(
    config: Config,
    experiments: () => ExperimentSet,
    metrics: Metrics,
    log: Logger,
  ): Promise<GatewayState> {
    let mayEvict = false;
    metrics.watch({ stateMayBeEvicted: () => mayEvict });
    const store = await openStore(config.state, {
      isServing: true,
      onEviction: (policy) => {
        mayEvict = policy !== undefined;
        if (mayEvict)
          log.error(
            { policy },
            'the Redis that keeps the state takes keys away when its memory is full, of all databases: units, outcomes and weights would be lost without a word. ' +
              'Set its maxmemory-policy to noeviction, and keep the cache on a server of its own',
          );
      },
    });
    if (store.kind === 'redis') metrics.watch({ clockOffsetsMs: () => [Date.now() - store.nowMs()] });
    const place = store.kind === 'redis' ? new SpoolPlace(config.spool) : undefined;
    try {
      if (store.kind === 'memory' && config.experiments !== undefined) {
        log.warn('the state is kept in memory, and is gone when the process is: set `state` to keep results');
      }
      const secrets = config.secrets ?? (await SharedSecret.open(store, log));
      const secret = secrets instanceof SharedSecret ? secrets : undefined;
      const ids = secrets instanceof SharedSecret ? secrets.ids : new PredictionIds(secrets);
      const writer = new OutcomeWriter({
        record: (outcomes) => store.recordOutcomes(outcomes),
        spool: place && new Spool<Outcome>(place, 'outcomes'),
        log,
      });
      await writer.open();
      metrics.watch({ spooledOutcomes: () => writer.spooled });
      const onDrop = countAndTell(metrics, log);
      const exposures = new ExposureRecorder(await openSinks(config, store, onDrop), onDrop);
      // Other stores are not emptied while a process has them.
      if (store.kind === 'redis') secret?.start();
      return new GatewayState(store, place, secret, ids, writer, exposures, experiments, metrics, onDrop);
    } catch (error) {
      place?.release();
      await store.close();
      throw error;
    }
  }

  private constructor(
    store: StateStore,
    place: SpoolPlace | undefined,
    secret: SharedSecret | undefined,
    ids: PredictionIds,
    writer: OutcomeWriter,
    exposures: ExposureRecorder,
    experiments: () => ExperimentSet,
    metrics: Metrics,
    onDrop: ReturnType<typeof countAndTell>,
  ) {
    this.store = store;
    this.place = place;
    this.#secret = secret;
    this.ids = ids;
    this.#writer = writer;
    this.exposures = exposures;
    this.mirrors = new MirrorRecorder(store, (reason) => {
      onDrop('mirrors', 1, reason);
    });
    this.outcomes = new OutcomeIntake({
      ids,
      experiments: () => experiments().byKey,
      flushExposures: () => {
        this.exposures.handOver();
      },
      writer,
      metrics,
      nowMs: () => store.nowMs(),
    });
  }

  /** Keeps what is under way, and ends. */
  async close(): Promise<void> {
    await this.exposures.close();
    await this.mirrors.flush();
    await this.#writer.close();
    this.place?.release();
    await this.#secret?.stop();
    await this.store.close();
  }
}

async function openSinks(
  config: Config,
  store: StateStore,
  onDrop: OnDrop,
): Promise<readonly ExposureSink[]> {
  const { events, state } = config;
  const targets: LineTarget[] = [];
  if (events?.kind === 'file') targets.push(new RotatingFile(events));
  if (events?.kind === 'redis' && state.kind === 'redis') {
    const { RedisStream } = await import('../../experiments/stores/redis-stream.ts');
    const stream = new RedisStream(state.url, EXPOSURES_STREAM, events.maxLength);
    targets.push({
      name: 'redis',
      write: (lines) => stream.append(lines),
      close: () => {
        stream.close();
        return Promise.resolve();
      },
    });
  }
  const sinks: ExposureSink[] = [
    new StateSink(store, onDrop),
    ...targets.map((target) => new LineSink(target, onDrop)),
  ];
  if (events?.kind !== 'otlp') return sinks;
  // Only who sends events pays for the packages that do.
  const { OtlpEvents } = await import('../exposures/otlp-events.ts');
  return [...sinks, new OtlpEvents(events, onDrop)];
}
