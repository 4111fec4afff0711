import { addingModel } from '../../test/models/small-models.ts';
import { startRedis } from '../../test/servers/redis-server.ts';
import { pause } from '../chaos/finding.ts';
import { countedIn } from '../chaos/lost-outcomes.ts';
import { startGatewayProcess } from '../chaos/gateway-process.ts';
import type { GatewayProcess } from '../chaos/gateway-process.ts';
import { disturbances } from './disturbances.ts';
import { PacedCallers } from './paced-callers.ts';
import type { PacedCounts } from './paced-callers.ts';
import { soakExperiment } from './soak-experiment.ts';

export interface WholeSoak {
  /** At least; every disturbance happens once. */
  readonly seconds: number;
  /** To find out what it carries. */
  readonly calibrationSeconds: number;
  /** The load, as a share of what it carries. */
  readonly share: number;
  /** Between two disturbances; they take turns. */
  readonly disturbEveryMs: number;
  readonly sampleEveryMs: number;
  /** `redis-server`. */
  readonly redis: string;
  readonly onSample?: (sample: Sample) => void;
}

/** What the serving process holds at one moment. */
export interface Sample {
  readonly atSeconds: number;
  readonly rssBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

export interface WholeReport extends PacedCounts {
  readonly capacityPerSecond: number;
  readonly ratePerSecond: number;
  readonly samples: readonly Sample[];
  /** How often each disturbance happened. */
  readonly disturbed: ReadonlyMap<string, number>;
  /** Requests that the gateway says it has shed. */
  readonly shed: number;
  /** Acknowledged outcomes that nobody knows of at the end. */
  readonly lost: number;
  readonly exitCode: unknown;
  /** Lines of the log at level error, by their message. */
  readonly errors: ReadonlyMap<string, number>;
}

/** A gateway that everything is done to at once, under a load that it carries. */
export async function soakWhole(soak: WholeSoak): Promise<WholeReport> {
  // Acknowledged means kept: a Redis that forgets at a kill would be what lost it.
  await using redis = await startRedis(soak.redis, ['--appendfsync', 'always']);
  await using gateway = await startGatewayProcess({
    config: `state: ${redis.url}\nsecret: a secret of the soak\ntelemetry: { events: { maxSize: 4MiB, maxFiles: 2 } }\n`,
    files: {
      'models/soak/1/model.onnx': addingModel(0),
      'models/soak/2/model.onnx': addingModel(0),
      'experiments/soak.yaml': soakExperiment(50),
    },
  });
  // Each version adds the number of the swap that brought it.
  let newest = 0;
  await using callers = new PacedCallers(gateway.url, (value) => value >= 1 && value <= 1 + newest);
  const capacityPerSecond = await callers.capacity(soak.calibrationSeconds);
  const shedBefore = await shedBy(gateway);
  const ratePerSecond = Math.round(soak.share * capacityPerSecond);
  callers.start(ratePerSecond);
  const steps = disturbances(gateway, redis, (addend) => (newest = addend));
  const disturbed = new Map<string, number>();
  const startMs = performance.now();
  const elapsed = (): number => (performance.now() - startMs) / 1000;
  const samples: Sample[] = [];
  let sampled: Promise<unknown> = Promise.resolve();
  const sampling = setInterval(() => {
    sampled = sampleOf(gateway, elapsed()).then((sample) => {
      samples.push(sample);
      soak.onSample?.(sample);
    });
  }, soak.sampleEveryMs);
  try {
    for (let step = 0; elapsed() < soak.seconds || step < steps.length; step++) {
      const disturbance = steps[step % steps.length];
      if (disturbance === undefined) break;
      await disturbance.happen(1 + Math.floor(step / steps.length));
      disturbed.set(disturbance.name, (disturbed.get(disturbance.name) ?? 0) + 1);
      await pause(soak.disturbEveryMs);
    }
  } finally {
    clearInterval(sampling);
  }
  await sampled;
  await callers.stop();
  const counts = callers.counts;
  const spooled = () => gateway.metric('signalbox_outcomes_spooled');
  const lost = await callers.lostOutcomes(countedIn({ redis: redis.url, experiment: 'soak-test', spooled }));
  const shed = (await shedBy(gateway)) - shedBefore;
  const exitCode = await gateway.stop();
  const errors = errorsIn(gateway.stderr());
  return { ...counts, capacityPerSecond, ratePerSecond, samples, disturbed, shed, lost, exitCode, errors };
}

const shedBy = (gateway: GatewayProcess): Promise<number> =>
  gateway.metric('signalbox_requests_total', { outcome: 'shed' });

async function sampleOf(gateway: GatewayProcess, atSeconds: number): Promise<Sample> {
  const [rssBytes, descriptors, threads] = await Promise.all([
    gateway.rssBytes(),
    gateway.descriptors(),
    gateway.threads(),
  ]);
  return { atSeconds, rssBytes, descriptors, threads };
}

function errorsIn(log: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of log.split('\n').filter((text) => text.startsWith('{'))) {
    const { level, msg } = JSON.parse(line) as { readonly level: number; readonly msg: string };
    if (level >= 50) counts.set(msg, (counts.get(msg) ?? 0) + 1);
  }
  return counts;
}
