import type { Static } from 'typebox';
import { InvalidDocuments } from '../documents/problem.ts';
import type { Problem } from '../documents/problem.ts';
import { checkDocument } from '../documents/schema-check.ts';
import { whyUnprintable } from '../documents/unprintable.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';
import { standsInBody } from './attribute.ts';
import type { UnitSource } from './attribute.ts';
import { ExperimentSchema } from './experiment-schema.ts';
import type { HashAttributeSchema, HoldoutSchema } from './experiment-schema.ts';
import { readGuardrails, readMetrics } from './metric-definition.ts';
import type { Guardrail, MetricDefinition } from './metric-definition.ts';
import { readAllocation } from './allocation/allocation.ts';
import type { Allocation } from './allocation/allocation.ts';
import type { RolloutPlan, Step } from './rollouts/plan.ts';
import { readPlan } from './rollouts/read-plan.ts';
import { readMatchRule } from './targeting/match-rule.ts';
import type { MatchRule } from './targeting/match-rule.ts';
import { readUpstream } from './upstream-definition.ts';
import type { Variant } from './variant.ts';

export type { Variant };

type ExperimentFile = Static<typeof ExperimentSchema>;

/** The part of a namespace's units that an experiment may enrol: from and up to, without the end, 0 to 1. */
export interface Namespace {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Units that get the control whatever is tried on the others. */
export interface Holdout {
  /** 0 to 1. */
  readonly share: number;
  /** Experiments with the same seed hold out the same units. */
  readonly seed: string;
}

/** A shadow: a variant that is sent copies of a share of the requests, and whose answers nobody sees. */
export interface Mirror {
  readonly variant: Variant;
  /** 0 to 1. */
  readonly share: number;
}

/** An experiment as it is served: every default filled in, variants in the order of their names. */
export interface Experiment {
  readonly key: string;
  /** The served name that callers use. */
  readonly model: string;
  readonly status: 'draft' | 'running' | 'paused' | 'completed';
  /** Counts up from 1; what was counted in one phase says nothing of another. */
  readonly phase: number;
  readonly phaseName: string | undefined;
  /** When it begins to enrol, in milliseconds since 1970; undefined: as soon as it runs. */
  readonly startMs: number | undefined;
  /** When it stops enrolling, in milliseconds since 1970; undefined: never by itself. */
  readonly stopMs: number | undefined;
  /** What names the unit. */
  readonly hashAttribute: UnitSource;
  readonly seed: string;
  /** In the order of the file: the first that is met decides. Empty: everybody takes part. */
  readonly match: readonly MatchRule<Variant>[];
  /** Whether only those who meet a rule are concerned: so it is where a rule names no variant. */
  readonly isRestricted: boolean;
  readonly namespace: Namespace | undefined;
  readonly holdout: Holdout | undefined;
  /** The share of units that are enrolled, 0 to 1. */
  readonly coverage: number;
  /** Units that always get the same variant, and don't count. */
  readonly forced: ReadonlyMap<string, Variant>;
  /** Whether a unit keeps the variant where it first landed, while the phase lasts. */
  readonly isSticky: boolean;
  readonly control: Variant;
  readonly variants: readonly Variant[];
  /** What a caller gets whose variant can't answer: the control, or an error. */
  readonly onUnavailable: 'fallback' | 'error';
  /** Variants that are sent copies of requests, each once. */
  readonly mirrors: readonly Mirror[];
  readonly metrics: readonly MetricDefinition[];
  readonly guardrails: readonly Guardrail[];
  /** A bandit that moves the weights; undefined: they stay. */
  readonly allocation: Allocation | undefined;
  /** How one of the variants comes to answer everybody by itself; undefined: its weights are the file's, or a person's. */
  readonly rollout: RolloutPlan | undefined;
  /** Whom all get once the experiment is completed. */
  readonly winner: Variant;
  /** Which change of its weights is in force, as the state store counts them; 0: its file's own, which no store knows of. */
  readonly weightsVersion: number;
}

/** The versions of a model that the repository has, ready or not; undefined for a model it hasn't. */
export type KnownVersions = (model: string) => readonly number[] | undefined;

/**
 * Reads an experiment's file.
 *
 * @param knownVersions undefined: the model and its versions are taken as they stand
 * @throws InvalidDocuments with everything that is wrong with it
 */
export function readExperiment(document: YamlDocument, knownVersions: KnownVersions | undefined): Experiment {
  const file = checkDocument(document, ExperimentSchema);
  const problems: Problem[] = [];
  const refuse = (path: Path, message: string): void => {
    problems.push(document.problemAt(path, message));
  };
  checkVersions(file, knownVersions, refuse);
  const variants = readVariants(file, refuse);
  const pick = (name: string, path: Path): Variant | undefined => {
    const variant = variants.find((candidate) => candidate.name === name);
    if (variant === undefined) {
      const names = variants.map((candidate) => candidate.name);
      refuse(path, `is "${name}"; expected one of the variants ${names.join(', ')}`);
    }
    return variant;
  };

  const control = pick(file.control, ['control']);
  if (file.winner !== undefined && file.status !== 'completed') {
    refuse(['winner'], `goes with status completed only, and the status is ${file.status}`);
  }
  const winner = file.winner === undefined ? control : pick(file.winner, ['winner']);
  const hashAttribute = readUnitSource(file.hashAttribute ?? 'x-user-id');
  const match = (file.match ?? []).map((rule, index) => readMatchRule(rule, ['match', index], refuse, pick));
  const forced = readForced(file, hashAttribute, refuse, pick);
  if (file.sticky === true && hashAttribute.kind === 'none') {
    refuse(['sticky'], 'keeps units where they landed, and hashAttribute says that there are none');
  }
  const namespace = readNamespace(file, refuse);
  const times = readTimes(file, refuse);
  const mirrors = readMirrors(file, refuse, pick);
  const phase = readPhase(file, refuse);
  const metrics = readMetrics(file.metrics ?? [], refuse);
  const guardrails = readGuardrails(file.guardrails ?? [], metrics, refuse);
  const hasGuardrails = metrics.some(({ role }) => role === 'guardrail');
  const allocation = readAllocation(
    file.allocation,
    {
      control: file.control,
      variants: file.variants,
      metrics,
      hasUnits: hashAttribute.kind !== 'none',
      hasRollout: file.rollout !== undefined,
      sticky: file.sticky,
    },
    refuse,
  );
  const rollout =
    file.rollout && readPlan(file.rollout, { control: file.control, variants, hasGuardrails }, refuse);
  const protocol = control?.upstream?.protocol ?? 'v2';
  const isMirrored = mirrors.length > 0 || rollout?.steps.some(copies) === true;
  if (isMirrored && protocol !== 'v2') {
    const message = `copies what ${file.control} is asked, which speaks ${protocol}: its requests are passed on undecoded, and can't be copied; expected a control that is a version of the model or speaks v2`;
    refuse(mirrors.length > 0 ? ['mirror'] : ['rollout', 'steps'], message);
  }
  if (problems.length > 0 || control === undefined || winner === undefined)
    throw new InvalidDocuments(problems);

  return Object.freeze({
    key: file.key,
    model: file.model,
    status: file.status,
    phase: phase.number,
    phaseName: phase.name,
    ...times,
    hashAttribute,
    seed: phase.seed ?? file.seed ?? file.key,
    match,
    isRestricted: match.some((rule) => rule.variant === undefined),
    namespace,
    holdout: file.holdout === undefined ? undefined : readHoldout(file.holdout, `${file.key}:holdout`),
    coverage: file.coverage ?? 1,
    forced,
    isSticky: file.sticky ?? allocation !== undefined,
    control,
    variants: Object.freeze([...variants].sort((a, b) => (a.name < b.name ? -1 : 1))),
    onUnavailable: file.onUnavailable ?? 'fallback',
    mirrors,
    metrics,
    guardrails,
    allocation,
    rollout,
    winner,
    weightsVersion: 0,
  });
}

interface PhaseFile {
  readonly number: number;
  readonly name?: string;
  readonly seed?: string;
}

function readPhase({ phase = 1 }: ExperimentFile, refuse: Refuse): PhaseFile {
  if (typeof phase === 'number') return { number: phase };
  // It is shown on terminals and pages, as reasons are.
  const unprintable = phase.name && whyUnprintable(phase.name);
  if (unprintable !== undefined) refuse(['phase', 'name'], unprintable);
  return phase;
}

function copies(step: Step): boolean {
  return step.kind === 'setMirrorRoute' && step.percentage > 0;
}

/** Whether a call has to be read, body and all, before the experiment can say who answers it. */
export function needsBody({ hashAttribute, match }: Experiment): boolean {
  return (
    standsInBody(hashAttribute) ||
    match.some(
      ({ conditions, inputs }) => inputs.length > 0 || conditions.some(({ source }) => standsInBody(source)),
    )
  );
}

/** @param seed where the file says none */
export function readHoldout(file: Static<typeof HoldoutSchema>, seed: string): Holdout {
  return typeof file === 'number' ? { share: file, seed } : { share: file.share, seed: file.seed ?? seed };
}

type Refuse = (path: Path, message: string) => void;

/** Of a variant that says neither or both of where it lives, the name is still known, so that it can be referred to. */
function readVariants({ model, variants }: ExperimentFile, refuse: Refuse): readonly Variant[] {
  const names = variants.map((variant) => variant.name);
  const read = variants.map(({ name, weight, version, upstream }, index): Variant => {
    if (names.indexOf(name) < index) refuse(['variants', index, 'name'], `"${name}" is there twice`);
    if (version !== undefined && upstream !== undefined) {
      refuse(
        ['variants', index, 'upstream'],
        'stands beside version; a variant lives here or there, not both',
      );
    }
    if (upstream !== undefined) {
      return {
        name,
        weight,
        upstream: readUpstream(upstream, model, ['variants', index, 'upstream'], refuse),
      };
    }
    if (version === undefined) {
      refuse(
        ['variants', index],
        'says neither version nor upstream; expected version: 2, or upstream: { url: "http://triton:8000" }',
      );
    }
    return { name, weight, version: version ?? 0 };
  });
  if (variants.every((variant) => variant.weight === 0)) {
    refuse(['variants'], 'have only weights of 0; at least one has to be above 0');
  }
  return read;
}

/** A model whose variants all live elsewhere needs no folder in the repository; a draft's versions may be yet to come. */
function checkVersions(
  { model, status, variants }: ExperimentFile,
  knownVersions: KnownVersions | undefined,
  refuse: Refuse,
): void {
  const versions = knownVersions?.(model);
  const needsRepository = variants.some(({ version }) => version !== undefined);
  if (knownVersions !== undefined && versions === undefined && needsRepository) {
    refuse(['model'], `is "${model}", but the model repository has no model of that name`);
  }
  if (status === 'draft') return;
  variants.forEach(({ version }, index) => {
    if (version !== undefined && versions !== undefined && !versions.includes(version)) {
      const there =
        versions.length > 0 ? `the repository has ${versions.join(', ')}` : 'the repository has none';
      refuse(
        ['variants', index, 'version'],
        `is ${version}, but model "${model}" has no such version; ${there}`,
      );
    }
  });
}

function readUnitSource(file: Static<typeof HashAttributeSchema>): UnitSource {
  if (typeof file === 'string') return { kind: 'header', name: file.toLowerCase() };
  if ('header' in file) return { kind: 'header', name: file.header.toLowerCase() };
  if ('cookie' in file) return { kind: 'cookie', name: file.cookie };
  if ('json' in file) return { kind: 'parameter', name: file.json.slice('parameters.'.length) };
  return 'apiKey' in file ? { kind: 'apiKey' } : { kind: 'none' };
}

function readForced(
  { forced = {} }: ExperimentFile,
  hashAttribute: UnitSource,
  refuse: Refuse,
  pick: (name: string, path: Path) => Variant | undefined,
): ReadonlyMap<string, Variant> {
  const variants = new Map<string, Variant>();
  for (const [unit, name] of Object.entries(forced)) {
    const variant = pick(name, ['forced', unit]);
    if (unit === '') refuse(['forced', unit], 'forces the empty unit, which is none');
    else if (variant !== undefined) variants.set(unit, variant);
  }
  if (variants.size > 0 && hashAttribute.kind === 'none') {
    refuse(['forced'], 'names units, and hashAttribute says that there are none');
  }
  return variants;
}

function readMirrors(
  { mirror }: ExperimentFile,
  refuse: Refuse,
  pick: (name: string, path: Path) => Variant | undefined,
): readonly Mirror[] {
  const files = mirror === undefined ? [] : Array.isArray(mirror) ? mirror : [mirror];
  return files.flatMap(({ variant: name, share = 1 }, index) => {
    const path = Array.isArray(mirror) ? ['mirror', index, 'variant'] : ['mirror', 'variant'];
    if (files.findIndex(({ variant }) => variant === name) < index) refuse(path, `"${name}" is there twice`);
    const variant = pick(name, path);
    return variant === undefined ? [] : [{ variant, share }];
  });
}

function readNamespace({ namespace }: ExperimentFile, refuse: Refuse): Namespace | undefined {
  if (namespace === undefined) return undefined;
  const [from = 0, to = 0] = namespace.range;
  if (from >= to) {
    refuse(
      ['namespace', 'range'],
      `goes from ${from} to ${to}, which is nobody; expected an end after its start`,
    );
  }
  return { name: namespace.name, from, to };
}

function readTimes(
  { start, stop }: ExperimentFile,
  refuse: Refuse,
): { readonly startMs: number | undefined; readonly stopMs: number | undefined } {
  const read = (key: 'start' | 'stop', text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const ms = Date.parse(text);
    // JavaScript reads 30 February as 2 March.
    const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
    if (Number.isNaN(ms) || day > new Date(Date.UTC(year, month, 0)).getUTCDate())
      refuse([key], `is "${text}", which is no time; expected one as 2026-12-01T08:00:00Z`);
    return ms;
  };
  const [startMs, stopMs] = [read('start', start), read('stop', stop)];
  if (startMs !== undefined && stopMs !== undefined && startMs >= stopMs) {
    refuse(['stop'], `is ${stop ?? ''}, not after the start, ${start ?? ''}`);
  }
  return { startMs, stopMs };
}
