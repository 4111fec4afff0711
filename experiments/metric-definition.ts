import type { Static } from 'typebox';
import type { Path } from '../documents/yaml-document.ts';
import { BUILT_IN_SOURCES } from './metric-schema.ts';
import type { GuardrailSchema, MetricSchema } from './metric-schema.ts';
import type { Refuse } from './targeting/matcher.ts';

export type BuiltInSource = (typeof BUILT_IN_SOURCES)[number];

/** What every metric has. */
interface MetricBase {
  readonly name: string;
  /** `goal`: decides; `guardrail`: must not get worse; `secondary`: shown. */
  readonly role: 'goal' | 'secondary' | 'guardrail';
  /** Which way is better. */
  readonly direction: 'increase' | 'decrease';
  /** How long after a unit's first exposure its outcomes count; undefined: the first exposure's outcome does. */
  readonly windowMs: number | undefined;
  /** The smallest relative effect worth finding, which the power is reckoned for; undefined: none is stated. */
  readonly minimumEffect: number | undefined;
}

/** A metric of one value a unit. */
interface SingleMetric extends MetricBase {
  /** `outcome`: what callers send under the metric's name; or what the gateway measures itself. */
  readonly source: 'outcome' | BuiltInSource;
  /** The outcome, known before the exposure, by which variance is reduced (CUPED). */
  readonly covariate: string | undefined;
}

export type Cap =
  | { readonly kind: 'value'; readonly value: number }
  /** 0.5 to 1, both excluded. */
  | { readonly kind: 'quantile'; readonly quantile: number };

export type MetricDefinition =
  | (SingleMetric & { readonly kind: 'proportion' })
  | (SingleMetric & {
      readonly kind: 'mean' | 'count';
      /** Where the values of units are capped, so that single large ones don't decide. */
      readonly cap: Cap | undefined;
    })
  /** Its outcomes carry a numerator and a denominator, which are summed over the units of a variant. */
  | (MetricBase & { readonly kind: 'ratio' })
  | (MetricBase & {
      readonly kind: 'quantile';
      readonly source: 'outcome' | BuiltInSource;
      /** 0 to 1, both excluded. */
      readonly quantile: number;
    });

/** A threshold that a variant may not cross; at least one of the three is given. */
export interface Guardrail {
  readonly metric: string;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  /** How much worse than the control a variant may be, relative to it. */
  readonly maximumHarm: number | undefined;
}

/** What each kind can be measured of without outcomes. */
const BUILT_IN: Readonly<Record<Exclude<MetricDefinition['kind'], 'ratio'>, readonly BuiltInSource[]>> = {
  proportion: ['error_rate', 'client_error_rate', 'cache_hits'],
  mean: ['latency', 'queue', 'compute', 'confidence', 'drift'],
  quantile: ['latency', 'queue', 'compute', 'confidence'],
  count: [],
};

/** Where less is better. */
const DECREASING: readonly string[] = [
  'error_rate',
  'client_error_rate',
  'latency',
  'queue',
  'compute',
  'drift',
];

/** The keys that only some kinds have. */
const KINDS_WITH: Readonly<Record<string, readonly MetricDefinition['kind'][]>> = {
  source: ['proportion', 'mean', 'quantile', 'count'],
  quantile: ['quantile'],
  covariate: ['proportion', 'mean', 'count'],
  cap: ['mean', 'count'],
  winsorize: ['mean', 'count'],
};

const MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Reads the list under `metrics`. */
export function readMetrics(
  files: readonly Static<typeof MetricSchema>[],
  refuse: Refuse,
): readonly MetricDefinition[] {
  const names = files.map(({ name }) => name);
  return files.flatMap((file, index) => {
    const path = ['metrics', index];
    if (names.indexOf(file.name) < index) refuse([...path, 'name'], `"${file.name}" is there twice`);
    checkCovariate(file, files, [...path, 'covariate'], refuse);
    return readMetric(file, path, refuse) ?? [];
  });
}

/** A covariate is an outcome of the first exposure, a number, known before it; it may be a metric of its own. */
function checkCovariate(
  { name, covariate, source = 'outcome', winsorize }: Static<typeof MetricSchema>,
  files: readonly Static<typeof MetricSchema>[],
  path: Path,
  refuse: Refuse,
): void {
  if (covariate === undefined) return;
  if (source !== 'outcome') {
    refuse(path, `goes with outcomes only, and the gateway measures ${source} itself`);
  }
  if (winsorize !== undefined) {
    refuse(path, 'stands beside winsorize, which keeps no pairs of values; expected cap, or one of the two');
  }
  if (covariate === name) refuse(path, `is the metric itself; expected an outcome from before the exposure`);
  if (BUILT_IN_SOURCES.some((builtIn) => builtIn === covariate)) {
    refuse(
      path,
      `is "${covariate}", which the gateway measures after the exposure; expected an outcome's name`,
    );
  }
  const own = files.find((file) => file.name === covariate);
  if (own === undefined || own.name === name) return;
  if (
    own.kind === 'ratio' ||
    own.kind === 'quantile' ||
    own.window !== undefined ||
    own.covariate !== undefined
  ) {
    refuse(
      path,
      `is "${covariate}", a ${own.kind}${own.window === undefined ? '' : ' with a window'}${own.covariate === undefined ? '' : ' with a covariate'}; ` +
        'expected a proportion, mean or count of the first exposure',
    );
  }
}

function readMetric(
  file: Static<typeof MetricSchema>,
  path: Path,
  refuse: Refuse,
): MetricDefinition | undefined {
  const { name, kind, source = 'outcome' } = file;
  for (const [key, kinds] of Object.entries(KINDS_WITH)) {
    if (Object.hasOwn(file, key) && !kinds.includes(kind)) {
      refuse([...path, key], `goes with kind ${kinds.join(', ')} only, and the kind is ${kind}`);
    }
  }
  if (kind !== 'ratio' && source !== 'outcome' && !BUILT_IN[kind].includes(source)) {
    const known = ['outcome', ...BUILT_IN[kind]].join(', ');
    refuse([...path, 'source'], `is ${source}, which is no ${kind}; expected one of ${known}`);
  }
  if (source === 'drift' && file.role !== undefined && file.role !== 'secondary') {
    refuse(
      [...path, 'role'],
      `is ${file.role}, and drift is a size that is not tested; expected secondary (a rollout holds copies to mirror.maxDrift)`,
    );
  }
  // Their sums would be added up under one name.
  if (source === 'outcome' && BUILT_IN_SOURCES.some((builtIn) => builtIn === name)) {
    refuse(
      [...path, 'name'],
      `is "${name}", which the gateway measures itself; expected source: ${name} beside it, or another name`,
    );
  }
  const direction = file.direction ?? (DECREASING.includes(source) ? 'decrease' : 'increase');
  const base = {
    name,
    role: file.role ?? 'secondary',
    direction,
    windowMs: file.window === undefined ? undefined : millisecondsOf(file.window),
    minimumEffect: file.minimumEffect,
  };
  const single = { ...base, source, covariate: file.covariate };
  switch (kind) {
    case 'proportion':
      return { ...single, kind };
    case 'mean':
    case 'count':
      if (file.cap !== undefined && file.winsorize !== undefined)
        refuse(
          [...path, 'winsorize'],
          'stands beside cap, which says the same otherwise; expected one of the two',
        );
      return { ...single, kind, cap: capOf(file) };
    case 'ratio':
      return { ...base, kind };
    case 'quantile': {
      if (file.quantile !== undefined) return { ...base, kind, source, quantile: file.quantile };
      refuse([...path, 'quantile'], 'is missing; expected a share above 0 and below 1, as 0.99');
      return undefined;
    }
  }
}

function capOf({ cap, winsorize }: Static<typeof MetricSchema>): Cap | undefined {
  if (cap !== undefined) return { kind: 'value', value: cap };
  return winsorize === undefined ? undefined : { kind: 'quantile', quantile: winsorize };
}

/** Reads the list under `guardrails`. */
export function readGuardrails(
  files: readonly Static<typeof GuardrailSchema>[],
  metrics: readonly MetricDefinition[],
  refuse: Refuse,
): readonly Guardrail[] {
  return files.map(({ metric: name, minimum, maximum, maximumHarm }, index) => {
    const path = ['guardrails', index];
    const metric = metrics.find((candidate) => candidate.name === name);
    if (metric === undefined) {
      const known = metrics.map((candidate) => candidate.name).join(', ') || 'there are none';
      refuse([...path, 'metric'], `is "${name}"; expected one of the metrics: ${known}`);
    } else if (metric.role !== 'guardrail') {
      refuse(
        [...path, 'metric'],
        `is "${name}", whose role is ${metric.role}; give the metric role: guardrail`,
      );
    }
    if (minimum === undefined && maximum === undefined && maximumHarm === undefined) {
      refuse(path, 'has no threshold; expected minimum, maximum or maximumHarm');
    }
    if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
      refuse([...path, 'minimum'], `is ${minimum}, above the maximum of ${maximum}`);
    }
    return { metric: name, minimum, maximum, maximumHarm };
  });
}

/** `24h` becomes 86400000. */
function millisecondsOf(duration: string): number {
  const unit = duration.slice(-1);
  return Number.parseInt(duration, 10) * MS[unit as keyof typeof MS];
}
