import type { Static } from 'typebox';
import type { Path } from '../../documents/yaml-document.ts';
import type { MetricDefinition } from '../metric-definition.ts';
import type { Refuse } from '../targeting/matcher.ts';
import type { AllocationSchema } from './allocation-schema.ts';

/** A bandit: weights move to the variants that are probably the best. */
export interface Allocation {
  readonly kind: 'thompson';
  /** What is to be maximised, or minimised where its direction is `decrease`. */
  readonly metric: string;
  /** Milliseconds between two changes of the weights. */
  readonly everyMs: number;
  /** The least and the most that a variant gets, out of {@link TOTAL_WEIGHT}. */
  readonly floor: number;
  readonly ceiling: number;
  /** Units that each variant has before weights move. */
  readonly minUnits: number;
}

/** What a bandit's weights sum up to. */
export const TOTAL_WEIGHT = 100;

const DEFAULTS = { every: '1h', floor: 0.05, ceiling: 0.95, minUnits: 100 } as const;

const MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The parts of an experiment that a bandit has to fit. */
export interface AllocationContext {
  readonly control: string;
  readonly variants: readonly { readonly name: string; readonly weight: number }[];
  readonly metrics: readonly MetricDefinition[];
  readonly hasUnits: boolean;
  readonly hasRollout: boolean;
  /** Undefined where the file doesn't say. */
  readonly sticky: boolean | undefined;
}

/** Reads `allocation`; undefined where weights stay as they are. */
export function readAllocation(
  file: Static<typeof AllocationSchema> | undefined,
  context: AllocationContext,
  refuse: Refuse,
): Allocation | undefined {
  if (file === undefined) return undefined;
  const path: Path = ['allocation'];
  if (file.kind === 'fixed') {
    const [odd] = Object.keys(file).filter((key) => key !== 'kind');
    if (odd !== undefined) refuse([...path, odd], 'goes with kind thompson only, and the kind is fixed');
    return undefined;
  }
  const { floor = DEFAULTS.floor, ceiling = DEFAULTS.ceiling, every = DEFAULTS.every } = file;
  const arms = context.variants.filter(({ weight }) => weight > 0);
  if (arms.length < 2 || arms.every(({ name }) => name !== context.control)) {
    refuse(path, 'has nothing to weigh; expected a weight above 0 for the control and for another variant');
  }
  const [least, most] = [Math.ceil(floor * TOTAL_WEIGHT - 1e-9), Math.floor(ceiling * TOTAL_WEIGHT + 1e-9)];
  if (least * arms.length > TOTAL_WEIGHT) {
    const whole = Math.floor(TOTAL_WEIGHT / arms.length) / TOTAL_WEIGHT;
    refuse(
      [...path, 'floor'],
      `is ${floor} for each of ${arms.length} variants, which is more than there is in whole percents; expected at most ${whole}`,
    );
  }
  if (floor > ceiling) refuse([...path, 'floor'], `is ${floor}, above the ceiling of ${ceiling}`);
  if (!context.hasUnits) refuse(path, 'learns from units, and hashAttribute says that there are none');
  if (context.hasRollout) refuse(path, 'moves the weights, and so does rollout; expected one of the two');
  if (context.sticky === false) {
    refuse(
      path,
      'moves weights often, and sticky: false would move units with them; leave sticky out, or write true',
    );
  }
  return {
    kind: 'thompson',
    metric: metricOf(file, context, refuse),
    everyMs: Number.parseInt(every, 10) * MS[every.slice(-1) as keyof typeof MS],
    floor: least,
    ceiling: most,
    minUnits: file.minUnits ?? DEFAULTS.minUnits,
  };
}

function metricOf(
  { metric }: Static<typeof AllocationSchema>,
  { metrics }: AllocationContext,
  refuse: Refuse,
): string {
  const path: Path = ['allocation', 'metric'];
  const goals = metrics.filter(({ role }) => role === 'goal');
  const [only] = goals;
  const name = metric ?? (goals.length === 1 ? only?.name : undefined);
  if (name === undefined) {
    refuse(path, `is missing, and the experiment has ${goals.length} goals; expected the name of a metric`);
    return '';
  }
  const found = metrics.find((candidate) => candidate.name === name);
  const isMean = found !== undefined && found.kind !== 'quantile';
  const isDrift = found !== undefined && 'source' in found && found.source === 'drift';
  if (!isMean || isDrift) {
    const known = metrics.flatMap((candidate) => (candidate.kind === 'quantile' ? [] : [candidate.name]));
    refuse(
      path,
      `is "${name}"; expected a metric that is a proportion, mean, count or ratio: ${known.join(', ') || 'there are none'}`,
    );
  }
  return name;
}
