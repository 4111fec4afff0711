import type { ExperimentShape, Hold, RolloutShape, RolloutStep } from '../shapes.ts';
import { whoIs } from './audit.ts';
import { duration, moment } from './numbers.ts';
import type { Station, Track } from './track.ts';

/** Steps at which nothing changes but what is waited for. */
interface Stage {
  readonly weight: number;
  readonly mirror: number;
  readonly rules: number;
  /** The steps that wait there, by their place in the plan. */
  readonly waits: readonly { readonly at: number; readonly text: string }[];
}

/** A rollout by its plan: each weight is a stop, with what is waited for there. */
export function trackByPlan(experiment: ExperimentShape, rollout: RolloutShape): Track {
  const { state } = rollout;
  const stages = stagesOf(rollout);
  const here = placeOf(rollout, stages);
  const stations = stages.map((stage, index): Station => ({
    label: labelOf(stage),
    detail: stage.waits.map(({ text }) => text).join(', then ') || restOf(stage, index, experiment, rollout),
    state: index === here ? 'here' : index < here ? 'passed' : 'ahead',
  }));
  return {
    stations,
    headline: headlineOf(experiment, rollout),
    why: whyOf(experiment),
    tone: TONES[state.kind],
  };
}

const TONES: Readonly<Record<RolloutShape['state']['kind'], Track['tone']>> = {
  pending: 'open',
  progressing: 'good',
  paused: 'open',
  waiting_for_approval: 'open',
  promoting: 'good',
  succeeded: 'still',
  rolling_back: 'bad',
  rolled_back: 'bad',
  aborted: 'bad',
};

/** From nobody to everybody; a plan that ends by a person's word waits before the last. */
function stagesOf({ steps, autoPromote }: RolloutShape): readonly Stage[] {
  const nobody: Stage = { weight: 0, mirror: 0, rules: 0, waits: [] };
  const stages = [nobody];
  let now = nobody;
  const wait = (at: number, text: string): void => {
    const last = stages.at(-1) ?? nobody;
    const isSame = last.weight === now.weight && last.mirror === now.mirror && last.rules === now.rules;
    if (isSame) stages[stages.length - 1] = { ...last, waits: [...last.waits, { at, text }] };
    else stages.push({ ...now, waits: [{ at, text }] });
  };
  steps.forEach((step, at) => {
    const text = waitOf(step);
    if (text !== undefined) wait(at, text);
    else now = { ...now, ...changeOf(step) };
  });
  if (!autoPromote) wait(steps.length, 'a person’s approval');
  const last = stages.at(-1) ?? nobody;
  if (last.weight < 100) stages.push({ weight: 100, mirror: 0, rules: 0, waits: [] });
  return stages;
}

function changeOf(step: RolloutStep): Partial<Stage> {
  switch (step.kind) {
    case 'setWeight':
      return { weight: step.weight };
    case 'match':
      return { rules: step.rules };
    case 'setMirrorRoute':
      return { mirror: step.percentage };
    case 'pause':
    case 'analysis':
      return {};
  }
}

function waitOf(step: RolloutStep): string | undefined {
  switch (step.kind) {
    case 'pause':
      return step.durationMs === null ? 'a person’s approval' : duration(step.durationMs);
    case 'analysis':
      return step.count === 1 ? 'an analysis' : `${step.count} analyses`;
    case 'setWeight':
    case 'match':
    case 'setMirrorRoute':
      return undefined;
  }
}

function labelOf({ weight, mirror, rules }: Stage): string {
  if (weight > 0) return `${weight} %`;
  if (rules > 0) return 'by rule';
  return mirror > 0 ? `${mirror} % copied` : '0 %';
}

function restOf(
  { weight }: Stage,
  index: number,
  { control }: ExperimentShape,
  { target }: RolloutShape,
): string {
  if (index === 0) return `all ${control}`;
  return weight === 100 ? `all ${target.variant}` : '';
}

function placeOf({ state }: RolloutShape, stages: readonly Stage[]): number {
  switch (state.kind) {
    case 'progressing':
    case 'paused':
    case 'waiting_for_approval':
      return Math.max(
        0,
        stages.findIndex(({ waits }) => waits.some(({ at }) => at === state.at.step)),
      );
    case 'promoting':
    case 'succeeded':
      return stages.length - 1;
    case 'pending':
    case 'rolling_back':
    case 'rolled_back':
    case 'aborted':
      return 0;
  }
}

/** Where a rollout stands, in one sentence without its full stop. */
export function headlineOf({ control }: ExperimentShape, rollout: RolloutShape): string {
  const { state, target, weight, steps, failureLimit, intervalMs } = rollout;
  const { variant } = target;
  const gets = weight > 0 ? `${variant} gets ${weight} %` : `Nobody gets ${variant} yet`;
  switch (state.kind) {
    case 'pending':
      return `Waits until ${variant} can answer`;
    case 'progressing': {
      const step = steps[state.at.step];
      const wanted = step?.kind === 'analysis' ? step.count : 1;
      const passed = wanted > 1 ? `, ${state.at.passes} of ${wanted} passed` : '';
      const failed = failureLimit > 0 ? `, ${state.at.failures} of ${failureLimit} failures used` : '';
      return `${gets}; analysed every ${duration(intervalMs)}${passed}${failed}`;
    }
    case 'paused':
      return `${gets}; ${holdText(state.hold)}`;
    case 'waiting_for_approval':
      return `${gets}; waits for somebody to promote it`;
    case 'promoting':
    case 'succeeded':
      return `Rolled out: everybody gets ${variant}`;
    case 'rolling_back':
    case 'rolled_back':
      return `Rolled back: everybody gets ${control}`;
    case 'aborted':
      return `Aborted: everybody gets ${control}, until somebody resumes it`;
  }
}

function holdText(hold: Hold): string {
  switch (hold.by) {
    case 'plan':
      return `goes on at ${moment(hold.untilMs)}`;
    case 'person':
      return 'paused until somebody resumes it';
    case 'inconclusive':
      return 'the analyses can’t tell, so somebody has to say how it goes on';
    case 'health':
      return 'what is measured can’t be believed, so somebody has to say how it goes on';
  }
}

/** What brought it there. A rollout's own steps begin with the kind of their cause, which is said otherwise here. */
function whyOf({ standing, rollout }: ExperimentShape): string {
  if (standing === null) return 'The state store was not asked yet; it is as its file says.';
  if (standing.isRecovered)
    return 'The state store had lost it, and what was counted: it holds until somebody promotes, resumes or rolls it back.';
  const { reason, actor, at } = standing;
  if (actor.kind !== 'rollout')
    return `${whoIs(actor)}, ${moment(at)}${reason === '' ? '' : `: “${reason}”`}`;
  const cause =
    rollout !== undefined && 'cause' in rollout.state
      ? rollout.state.cause.message
      : reason.replace(/^[a-z_]+: /, '');
  return `${moment(at)}: ${cause}.`;
}
