import type { Path } from '../documents/yaml-document.ts';
import type { Experiment, Namespace } from './definition.ts';
import type { MetricDefinition } from './metric-definition.ts';
import type { Variant } from './variant.ts';

/**
 * What an edit of a running experiment does to its results: nothing that the statistics can't follow (`safe`), they have
 * to begin anew (`new_phase`), or it would be another experiment (`forbidden`).
 */
export type ChangeClass = 'safe' | 'new_phase' | 'forbidden';

export interface Change {
  /** The key that changed, as it stands in the file. */
  readonly path: Path;
  readonly class: ChangeClass;
  /** Why it is of that class, as the end of a sentence. */
  readonly why: string;
}

/** Takes down a change. */
type Note = (path: Path, changeClass: ChangeClass, why: string) => void;

/**
 * Tells apart what changed from one definition of an experiment to the next.
 *
 * @param before as it is served; what isn't running or paused may become anything
 * @param nowMs milliseconds since 1970: a start that has passed can't be moved
 */
export function diffExperiments(before: Experiment, after: Experiment, nowMs: number): readonly Change[] {
  const changes: Change[] = [];
  const isLive = before.status === 'running' || before.status === 'paused';
  const note: Note = (path, changeClass, why) => {
    changes.push(
      isLive || changeClass === 'safe'
        ? { path, class: changeClass, why }
        : { path, class: 'safe', why: `it is ${before.status}, so nothing is being counted` },
    );
  };
  if (before.key !== after.key) {
    // Defaults follow the key, so what else differs says nothing more.
    note(['key'], 'forbidden', 'results belong to the key; give the new experiment a file of its own');
    return changes;
  }
  if (before.model !== after.model) {
    note(['model'], 'forbidden', 'another model is another experiment; give it a file of its own');
  }
  diffStatus(before, after, changes);
  diffPhase(before, after, note);
  diffTimes(before, after, nowMs, note);
  diffPopulation(before, after, note);
  diffVariants(before, after, note);
  diffMetrics(before.metrics, after.metrics, note);
  if (!isSame(marginsOf(before), marginsOf(after)))
    note(
      ['guardrails'],
      'new_phase',
      'a maximumHarm is what is tested, and is chosen after results were seen',
    );
  for (const [key, valueOf] of UNMOVING)
    if (!isSame(valueOf(before), valueOf(after))) note([key], 'safe', 'it moves no unit');
  return changes;
}

/** Of the changes, those that can't take effect: `new_phase` only where the edit doesn't begin one. */
export function refusedChanges(
  before: Experiment,
  after: Experiment,
  changes: readonly Change[],
): readonly Change[] {
  const beginsPhase = after.key === before.key && after.phase > before.phase;
  return changes.filter(
    (change) => change.class === 'forbidden' || (change.class === 'new_phase' && !beginsPhase),
  );
}

/** What is wrong with a change that was refused, and what would be right. */
export function explainRefusal({ class: changeClass, why }: Change, { phase, status }: Experiment): string {
  return changeClass === 'new_phase'
    ? `changed, which needs a new phase: ${why}; write phase: ${phase + 1} to begin one, or take the edit back`
    : `changed, which an experiment that is ${status} can't follow: ${why}`;
}

function diffStatus(before: Experiment, after: Experiment, changes: Change[]): void {
  if (before.status === after.status) return;
  const reopens = before.status === 'completed' && (after.status === 'running' || after.status === 'paused');
  changes.push(
    reopens
      ? { path: ['status'], class: 'new_phase', why: 'after its end all units got the winner' }
      : { path: ['status'], class: 'safe', why: 'units keep their variants' },
  );
}

function diffPhase(before: Experiment, after: Experiment, note: Note): void {
  if (after.phase < before.phase) {
    note(['phase'], 'forbidden', `phases count up, and phase ${before.phase} has begun`);
  } else if (after.phase > before.phase) {
    note(['phase'], 'safe', `it begins phase ${after.phase}`);
  } else if (after.phaseName !== before.phaseName) {
    note(['phase', 'name'], 'safe', 'it is a name');
  }
}

function diffTimes(before: Experiment, after: Experiment, nowMs: number, note: Note): void {
  if (before.startMs !== after.startMs) {
    const hasBegun = (before.startMs ?? -Infinity) <= nowMs;
    const wouldBegin = (after.startMs ?? -Infinity) > nowMs;
    if (hasBegun && wouldBegin)
      note(['start'], 'forbidden', 'it has begun to enrol; pause it to stop for a while');
    else note(['start'], 'safe', 'it moves no unit that was enrolled');
  }
  if (before.stopMs !== after.stopMs) note(['stop'], 'safe', 'it moves no unit between variants');
}

/** Who is enrolled: whom an edit adds may come, who was counted may not go. */
function diffPopulation(before: Experiment, after: Experiment, note: Note): void {
  if (!isSame(before.hashAttribute, after.hashAttribute)) {
    note(['hashAttribute'], 'new_phase', 'the units are others');
  }
  if (before.seed !== after.seed) note(['seed'], 'new_phase', 'it deals all units anew');
  if (!isSame(rulesOf(before), rulesOf(after))) {
    note(['match'], 'new_phase', 'those who take part are others');
  }
  if (!isSame(before.namespace, after.namespace)) {
    const isWider = contains(after.namespace, before.namespace);
    if (isWider) note(['namespace'], 'safe', 'units are added');
    else note(['namespace'], 'new_phase', 'units that were counted leave');
  }
  if (!isSame(before.holdout, after.holdout)) {
    const [had, has] = [before.holdout, after.holdout];
    const isSmaller = has === undefined || (has.seed === had?.seed && has.share < had.share);
    if (isSmaller) note(['holdout'], 'safe', 'units are added');
    else note(['holdout'], 'new_phase', 'units that were counted are held out');
  }
  if (after.coverage > before.coverage) note(['coverage'], 'safe', 'units are added');
  if (after.coverage < before.coverage) {
    note(
      ['coverage'],
      'new_phase',
      'units that were counted leave; to send fewer to a variant, lower its weight',
    );
  }
  const forcedOf = ({ forced }: Experiment) => [...forced].map(([unit, { name }]) => [unit, name]).sort();
  if (!isSame(forcedOf(before), forcedOf(after))) note(['forced'], 'safe', 'forced units do not count');
  if (!before.isSticky && after.isSticky) note(['sticky'], 'safe', 'units stay where they are');
  if (before.isSticky && !after.isSticky) {
    note(['sticky'], 'new_phase', 'units that stayed while weights changed would move');
  }
}

function diffVariants(before: Experiment, after: Experiment, note: Note): void {
  if (before.control.name !== after.control.name) {
    note(['control'], 'new_phase', 'what the others are compared with is another');
  }
  const next = new Map(after.variants.map((variant) => [variant.name, variant]));
  for (const variant of before.variants) {
    const now = next.get(variant.name);
    if (now === undefined) {
      note(['variants'], 'new_phase', `${variant.name} has results; to send nobody there, give it weight 0`);
      continue;
    }
    if (!isSame(originOf(variant), originOf(now))) {
      const why = `${variant.name} would be ${nameOf(now)} under the results of ${nameOf(variant)}`;
      note(['variants'], 'new_phase', `${why}; a variant of another name can be added as it runs`);
      continue;
    }
    if (!isSame(variant.upstream, now.upstream)) {
      note(['variants'], 'safe', `${variant.name} is called otherwise, and is what it was`);
    }
    if (now.weight !== variant.weight) {
      const why = `${variant.name} goes from weight ${variant.weight} to ${now.weight}; it opens an epoch`;
      note(['variants'], 'safe', why);
    }
  }
  const had = new Set(before.variants.map(({ name }) => name));
  for (const { name } of after.variants) {
    if (!had.has(name)) note(['variants'], 'safe', `${name} is added; it opens an epoch`);
  }
}

function diffMetrics(
  before: readonly MetricDefinition[],
  after: readonly MetricDefinition[],
  note: Note,
): void {
  const next = new Map(after.map((metric, index) => [metric.name, { metric, index }]));
  for (const metric of before) {
    const now = next.get(metric.name);
    if (now === undefined) {
      if (metric.role !== 'secondary')
        note(
          ['metrics'],
          'new_phase',
          `${metric.name} is a ${metric.role}: it was to decide before it was seen`,
        );
      else note(['metrics'], 'safe', `${metric.name} is no longer shown`);
    } else if (!isSame({ ...metric, minimumEffect: 0 }, { ...now.metric, minimumEffect: 0 })) {
      const why = `what was counted of ${metric.name} was counted otherwise`;
      note(['metrics', now.index], 'new_phase', why);
    } else if (metric.minimumEffect !== now.metric.minimumEffect) {
      note(['metrics', now.index], 'safe', 'it changes what is planned, not what is counted');
    }
  }
  const had = new Set(before.map(({ name }) => name));
  for (const { metric, index } of next.values()) {
    if (had.has(metric.name)) continue;
    if (metric.role !== 'secondary')
      note(
        ['metrics', index],
        'new_phase',
        `${metric.name} is a ${metric.role}, and is chosen after results were seen`,
      );
    else note(['metrics', index], 'safe', `${metric.name} is counted from now on`);
  }
}

/** What gives a variant's answers; how it is called (times, retries, checks) is no part of it. */
function originOf({ version, upstream }: Variant): unknown {
  if (upstream === undefined) return version;
  const { url, protocol, model, version: served, path } = upstream;
  return [url, protocol, model, served, path];
}

function nameOf({ version, upstream }: Variant): string {
  if (upstream === undefined) return `version ${version}`;
  const { url, protocol, model, version: served, path } = upstream;
  if (protocol === 'http') return `what ${url}${path} serves`;
  return `${model}${served === undefined ? '' : ` version ${served}`} on ${url}`;
}

/** How much worse each guardrail may become, as the tests of the phase have it. */
function marginsOf({ guardrails }: Experiment): unknown {
  return guardrails
    .flatMap(({ metric, maximumHarm }) => (maximumHarm === undefined ? [] : [[metric, maximumHarm]]))
    .sort();
}

/** Whether the first part of a namespace has all that the second has; no namespace is everybody. */
function contains(outer: Namespace | undefined, inner: Namespace | undefined): boolean {
  if (outer === undefined) return true;
  return outer.name === inner?.name && outer.from <= inner.from && outer.to >= inner.to;
}

/** The rules as data, with the variants' names only: a weight that changes is no change of a rule. */
function rulesOf({ match }: Experiment): unknown {
  return match.map(({ conditions, inputs, variant }) => [
    conditions.map(({ source, matcher }) => [source, matcher.spec]),
    inputs,
    variant?.name,
  ]);
}

/** What moves no unit, as it compares: weights that change are no change of what names a variant. */
const UNMOVING: readonly (readonly [key: string, valueOf: (experiment: Experiment) => unknown])[] = [
  ['onUnavailable', ({ onUnavailable }) => onUnavailable],
  // The margins are tested; these are limits, which may be drawn tighter at any moment.
  [
    'guardrails',
    ({ guardrails }) => guardrails.map(({ metric, minimum, maximum }) => [metric, minimum, maximum]),
  ],
  ['mirror', ({ mirrors }) => mirrors.map(({ variant, share }) => [variant.name, share])],
  ['allocation', ({ allocation }) => allocation],
  ['rollout', ({ rollout }) => rollout],
  ['winner', ({ winner }) => winner.name],
];

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
