import type { Static } from 'typebox';
import type { Path } from '../../documents/yaml-document.ts';
import { readMatchRule } from '../targeting/match-rule.ts';
import type { Refuse } from '../targeting/matcher.ts';
import { QUERY_NAMES } from './plan.ts';
import type { Checks, HardFloor, MirrorGate, QueryCheck, RolloutPlan, Step } from './plan.ts';
import { PRESET_STEPS } from './presets.ts';
import type {
  AnalysisWebhookSchema,
  MirrorGateSchema,
  QuerySchema,
  RolloutSchema,
  StepSchema,
} from './rollout-schema.ts';

type RolloutFile = Static<typeof RolloutSchema>;
type StepFile = Static<typeof StepSchema>;
type DurationFile = NonNullable<RolloutFile['interval']>;

/** What a plan has to fit: the experiment around it. */
export interface PlanContext {
  readonly control: string;
  readonly variants: readonly { readonly name: string; readonly weight: number }[];
  /** Whether the experiment has something that an analysis can judge by itself. */
  readonly hasGuardrails: boolean;
}

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_CHECK_TIMEOUT_MS = 10_000;
const DEFAULT_MIN_UNITS = 100;
const DEFAULT_MIN_COMPARISONS = 100;

/** A looser floor than most services want, and far from what chance brings: ten errors in a row at a rate of 5 % come once in 10^13. */
export const DEFAULT_HARD_FLOOR: HardFloor = Object.freeze({
  error: 10,
  timeout: 10,
  nan: 3,
  worker_death: 3,
  out_of_memory: 2,
});

const STEP_KEYS = ['setWeight', 'pause', 'analysis', 'match', 'setMirrorRoute'] as const;

/** Reads `rollout`, and refuses what could never be followed. */
export function readPlan(file: RolloutFile, context: PlanContext, refuse: Refuse): RolloutPlan | undefined {
  const path = ['rollout'];
  const variant = readVariant(file, context, refuse);
  if (file.preset !== undefined && file.steps !== undefined) {
    refuse([...path, 'preset'], 'stands beside steps, which say the same otherwise; expected one of the two');
  }
  const preset = file.preset === undefined ? undefined : PRESET_STEPS[file.preset];
  const files = file.steps ?? preset;
  if (files === undefined) {
    refuse(path, 'says no way; expected preset or steps');
    return undefined;
  }
  const stepPath = (index: number): Path =>
    file.steps === undefined ? [...path, 'preset'] : [...path, 'steps', index];
  const checks = readChecks(file.analysis ?? {}, [...path, 'analysis'], refuse);
  const steps = files.flatMap((step, index) => readStep(step, stepPath(index), refuse) ?? []);
  if (steps.length === files.length) checkOrder(steps, stepPath, context, checks, refuse);
  const baseline = readBaseline(file, variant, context, refuse);
  if (file.interval !== undefined && millisecondsOf(file.interval) < 100) {
    refuse([...path, 'interval'], `is ${String(file.interval)}; expected 100ms at least`);
  }
  if (variant === undefined) return undefined;
  return Object.freeze({
    variant,
    baseline,
    steps: Object.freeze(steps),
    intervalMs: file.interval === undefined ? DEFAULT_INTERVAL_MS : millisecondsOf(file.interval),
    checks,
    failureLimit: file.failureLimit ?? 0,
    inconclusiveLimit: file.inconclusiveLimit,
    minUnits: file.minUnits ?? DEFAULT_MIN_UNITS,
    progressDeadlineMs:
      file.progressDeadline === undefined ? undefined : millisecondsOf(file.progressDeadline),
    onNoData: file.onNoData ?? 'hold',
    autoPromote: file.autoPromote ?? true,
    hardFloor: readHardFloor(file.hardFloor),
  });
}

function readVariant(
  file: RolloutFile,
  { control, variants }: PlanContext,
  refuse: Refuse,
): string | undefined {
  const path = ['rollout', 'variant'];
  const others = variants.filter(({ name }) => name !== control && name !== file.baseline);
  const names = others.map(({ name }) => name).join(', ');
  if (file.variant === undefined) {
    const [only] = others;
    if (only === undefined) {
      refuse(['rollout'], `has nothing to roll out: ${control} is the only variant`);
      return undefined;
    }
    if (others.length > 1) {
      refuse(path, `is missing; expected the one of ${names} that is rolled out`);
      return undefined;
    }
    return requireNoWeight(only, variants, refuse);
  }
  const found = others.find(({ name }) => name === file.variant);
  if (found === undefined) {
    const why = file.variant === control ? ', which is the control' : '';
    refuse(path, `is "${file.variant}"${why}; expected one of ${names || 'the variants beside the control'}`);
    return undefined;
  }
  return requireNoWeight(found, variants, refuse);
}

/** The file's weight is what holds before the first step, and wherever nobody drives the rollout. */
function requireNoWeight(
  { name, weight }: PlanContext['variants'][number],
  variants: PlanContext['variants'],
  refuse: Refuse,
): string {
  if (weight > 0) {
    const index = variants.findIndex((variant) => variant.name === name);
    refuse(
      ['variants', index, 'weight'],
      `is ${weight}, and ${name} is rolled out: its weights are the steps'; expected 0`,
    );
  }
  return name;
}

function readBaseline(
  { baseline }: RolloutFile,
  variant: string | undefined,
  { control, variants }: PlanContext,
  refuse: Refuse,
): string | undefined {
  if (baseline === undefined) return undefined;
  const path = ['rollout', 'baseline'];
  const found = variants.find(({ name }) => name === baseline);
  if (found === undefined || baseline === control || baseline === variant) {
    refuse(
      path,
      `is "${baseline}"; expected a variant beside ${control} that serves what the control serves`,
    );
  } else if (found.weight > 0) {
    const index = variants.indexOf(found);
    refuse(
      ['variants', index, 'weight'],
      `is ${found.weight}, and ${baseline} is the baseline, whose share is that of the variant; expected 0`,
    );
  }
  return baseline;
}

function readStep(file: StepFile, path: Path, refuse: Refuse): Step | undefined {
  const keys = STEP_KEYS.filter((key) => file[key] !== undefined);
  if (keys.length !== 1) {
    refuse(
      path,
      `has ${keys.length === 0 ? 'nothing to do' : keys.join(' and ')}; expected one of ${STEP_KEYS.join(', ')}`,
    );
    return undefined;
  }
  const { setWeight, pause, analysis, match, setMirrorRoute } = file;
  if (setWeight !== undefined) return { kind: 'setWeight', weight: setWeight };
  if (pause !== undefined) {
    return {
      kind: 'pause',
      durationMs: pause.duration === undefined ? undefined : millisecondsOf(pause.duration),
    };
  }
  if (analysis !== undefined) {
    const checks = readChecks(analysis, [...path, 'analysis'], refuse);
    return { kind: 'analysis', count: analysis.count ?? 1, checks };
  }
  if (setMirrorRoute !== undefined) return { kind: 'setMirrorRoute', percentage: setMirrorRoute.percentage };
  return {
    kind: 'match',
    rules: (match ?? []).map((rule, index) => {
      const at = [...path, 'match', index];
      const pick = (_name: string, where: Path): undefined => {
        refuse(where, 'is said by the rollout; expected conditions only');
      };
      return readMatchRule<never>(rule, at, refuse, pick);
    }),
  };
}

/** A plan goes up, stops to look between two weights, and has something to look at. */
function checkOrder(
  steps: readonly Step[],
  stepPath: (index: number) => Path,
  { hasGuardrails }: PlanContext,
  { queries, webhooks, mirror }: Checks,
  refuse: Refuse,
): void {
  let [weight, mirrored] = [-1, 0];
  steps.forEach((step, index) => {
    switch (step.kind) {
      case 'setWeight': {
        const at = [...stepPath(index), 'setWeight'];
        if (weight === 100)
          refuse(at, `is ${step.weight}, after all units got the variant; expected no weight after 100`);
        else if (step.weight <= weight)
          refuse(at, `is ${step.weight}, after ${weight}; expected more: a plan goes up`);
        if (index > 0 && steps[index - 1]?.kind === 'setWeight') {
          refuse(
            at,
            `takes the place of ${weight} at once; expected a pause or an analysis between two weights`,
          );
        }
        weight = Math.max(weight, step.weight);
        break;
      }
      case 'setMirrorRoute':
        mirrored = step.percentage;
        break;
      case 'analysis': {
        const at = [...stepPath(index), 'analysis'];
        const own = step.checks;
        if (own.mirror !== undefined && mirrored === 0) {
          refuse([...at, 'mirror'], 'has no copies to look at; expected setMirrorRoute before it');
        }
        const asks = queries.length + webhooks.length + own.queries.length + own.webhooks.length > 0;
        if (asks || own.mirror !== undefined || (mirror !== undefined && mirrored > 0)) break;
        if (!hasGuardrails) {
          refuse(
            at,
            'has nothing to judge; expected a metric of the experiment with role: guardrail, as ' +
              '{ name: errors, kind: proportion, source: error_rate, role: guardrail }, or metrics or webhooks of the analysis',
          );
        } else if (weight <= 0) {
          refuse(
            at,
            'looks at nobody: no unit gets the variant yet; expected setWeight before it, or metrics, webhooks or mirror of its own',
          );
        }
        break;
      }
      case 'pause':
      case 'match':
        break;
    }
  });
}

function readChecks(
  {
    metrics = [],
    webhooks = [],
    mirror,
  }: {
    readonly metrics?: readonly Static<typeof QuerySchema>[];
    readonly webhooks?: readonly Static<typeof AnalysisWebhookSchema>[];
    readonly mirror?: Static<typeof MirrorGateSchema>;
  },
  path: Path,
  refuse: Refuse,
): Checks {
  const names = [...metrics, ...webhooks].map(({ name }) => name);
  names.forEach((name, index) => {
    if (names.indexOf(name) === index) return;
    const at = index < metrics.length ? ['metrics', index] : ['webhooks', index - metrics.length];
    refuse([...path, ...at, 'name'], `"${name}" is there twice`);
  });
  return {
    queries: metrics.map((metric, index) => readQuery(metric, [...path, 'metrics', index], refuse)),
    webhooks: webhooks.map(({ name, url, timeout, metadata = {} }) => ({
      name,
      url,
      timeoutMs: timeout === undefined ? DEFAULT_CHECK_TIMEOUT_MS : millisecondsOf(timeout),
      metadata,
    })),
    mirror: mirror === undefined ? undefined : readMirrorGate(mirror, [...path, 'mirror'], refuse),
  };
}

function readQuery(
  { name, prometheus, thresholdRange, timeout }: Static<typeof QuerySchema>,
  path: Path,
  refuse: Refuse,
): QueryCheck {
  for (const [, placeholder = ''] of prometheus.query.matchAll(/\{\{\s*(.*?)\s*\}\}/g)) {
    if (!QUERY_NAMES.some((known) => known === placeholder)) {
      refuse(
        [...path, 'prometheus', 'query'],
        `names {{ ${placeholder} }}; expected one of ${QUERY_NAMES.map((known) => `{{ ${known} }}`).join(', ')}`,
      );
    }
  }
  const { min, max } = thresholdRange;
  if (min === undefined && max === undefined) {
    refuse([...path, 'thresholdRange'], 'has no threshold; expected min, max or both');
  } else if (min !== undefined && max !== undefined && min > max) {
    refuse([...path, 'thresholdRange', 'min'], `is ${min}, above the max of ${max}`);
  }
  return {
    name,
    address: prometheus.address.replace(/\/+$/, ''),
    query: prometheus.query,
    range: { min, max },
    timeoutMs: timeout === undefined ? DEFAULT_CHECK_TIMEOUT_MS : millisecondsOf(timeout),
  };
}

function readMirrorGate(
  { minAgreement, maxDrift, minComparisons }: Static<typeof MirrorGateSchema>,
  path: Path,
  refuse: Refuse,
): MirrorGate {
  if (minAgreement === undefined && maxDrift === undefined) {
    refuse(path, 'has no threshold; expected minAgreement, maxDrift or both');
  }
  return { minAgreement, maxDrift, minComparisons: minComparisons ?? DEFAULT_MIN_COMPARISONS };
}

function readHardFloor(file: RolloutFile['hardFloor'] = {}): HardFloor {
  return Object.freeze({
    error: file.consecutiveErrors ?? DEFAULT_HARD_FLOOR.error,
    timeout: file.consecutiveTimeouts ?? DEFAULT_HARD_FLOOR.timeout,
    nan: file.consecutiveNaN ?? DEFAULT_HARD_FLOOR.nan,
    worker_death: file.workerDeaths ?? DEFAULT_HARD_FLOOR.worker_death,
    out_of_memory: file.outOfMemory ?? DEFAULT_HARD_FLOOR.out_of_memory,
  });
}

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `10m` becomes 600000, and so does 600: a plain number is seconds. */
function millisecondsOf(duration: DurationFile): number {
  if (typeof duration === 'number') return duration * MS.s;
  const unit = duration.replace(/^[0-9]+/, '');
  return Number.parseInt(duration, 10) * MS[unit as keyof typeof MS];
}
