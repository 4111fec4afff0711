import { createHash } from 'node:crypto';
import { formatProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import type { Path } from '../../documents/source-document.ts';
import type { ClassLabels } from '../class-labels.ts';
import type { ImageSpec } from '../image/image-spec.ts';
import type { DeclaredTensor } from '../repository/declared-tensor.ts';
import type { ModelConfig } from '../repository/model-config.ts';
import type { Servable } from '../servable.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import type { EnsembleConfig, EnsembleStep } from './ensemble-config.ts';
import type { BoundStep } from './ensemble-plan.ts';
import { EnsembleVersion } from './ensemble-version.ts';

/** The version that a step asks for, or why it isn't there. */
export type MemberLookup =
  | { readonly kind: 'ready'; readonly member: Servable }
  /** It is being loaded. */
  | { readonly kind: 'loading' }
  | { readonly kind: 'missing'; readonly key: 'model_name' | 'model_version'; readonly message: string };

/** An ensemble that is wished. */
export interface WishedEnsemble extends ClassLabels {
  readonly model: string;
  readonly version: number;
  readonly config: ModelConfig;
  readonly ensemble: EnsembleConfig;
  /** The sha256 of its version's own files. */
  readonly digest: string;
}

export type Binding =
  | { readonly kind: 'bound'; readonly steps: readonly BoundStep[] }
  | { readonly kind: 'loading' }
  /** Each with its file and line. */
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

/** Finds the versions that run an ensemble's steps, and holds them against each other. */
export function bindSteps(
  { model, config, ensemble }: WishedEnsemble,
  lookUp: (step: EnsembleStep) => MemberLookup,
): Binding {
  const problems: Problem[] = [];
  const refuse = (path: Path, message: string): void => {
    problems.push(ensemble.problemAt(['step', ...path], message));
  };
  const found = ensemble.steps.map((step) => ({ step, lookup: lookUp(step) }));
  const steps = found.flatMap(({ step, lookup }, index): readonly BoundStep[] => {
    if (lookup.kind === 'ready') return [{ step, member: lookup.member }];
    if (lookup.kind === 'missing') refuse([index, lookup.key], lookup.message);
    return [];
  });
  if (problems.length > 0) return { kind: 'refused', problems };
  if (found.some(({ lookup }) => lookup.kind === 'loading')) return { kind: 'loading' };
  checkFit(model, config, steps, refuse);
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'bound', steps };
}

/** Makes the version that serves, over steps that {@link bindSteps} has found to fit. */
export function ensembleOf(wished: WishedEnsemble, steps: readonly BoundStep[]): EnsembleVersion {
  const { model, version, config, labels, outputLabels } = wished;
  const maxBatchSize = config.maxBatchSize ?? 0;
  return new EnsembleVersion({
    model,
    version,
    config,
    labels,
    outputLabels,
    digest: digestOf(wished, steps),
    inputs: specsOf(config.inputs, maxBatchSize),
    outputs: specsOf(config.outputs, maxBatchSize),
    maxBatchSize,
    decodes: decodingOf(config, steps),
    steps,
  });
}

/** A text of what is wrong, for the repository's index. */
export function reasonOf(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('; ');
}

function specsOf(
  declared: readonly DeclaredTensor[] | undefined,
  maxBatchSize: number,
): readonly TensorSpec[] {
  return (declared ?? []).map(({ name, datatype, dims }) => ({
    name,
    datatype,
    shape: maxBatchSize > 0 ? [-1, ...dims] : dims,
  }));
}

type RefuseStep = (path: Path, message: string) => void;

/** A tensor, and who says that it is so. */
interface Meeting {
  readonly spec: TensorSpec;
  readonly who: string;
}

function checkFit(model: string, config: ModelConfig, steps: readonly BoundStep[], refuse: RefuseStep): void {
  const maxBatchSize = config.maxBatchSize ?? 0;
  const tensors = new Map<string, Meeting>(
    specsOf(config.inputs, maxBatchSize).map((spec) => [
      spec.name,
      { spec, who: 'the input of the ensemble' },
    ]),
  );
  steps.forEach(({ step, member }, index) => {
    if (maxBatchSize > 0 && member.about.maxBatchSize < maxBatchSize) {
      refuse(
        [index, 'model_name'],
        `is "${member.about.model}", whose max_batch_size is ${member.about.maxBatchSize}; expected at least the ensemble's own, ` +
          `${maxBatchSize}: lower that of '${model}', or raise the model's`,
      );
    }
    for (const [name, tensor] of step.outputs) {
      const spec = member.about.outputs.find((candidate) => candidate.name === name);
      if (spec === undefined) {
        refuse(
          [index, 'output_map', name],
          `is no output of model "${member.about.model}"; it has ${listOf(member.about.outputs)}`,
        );
      } else tensors.set(tensor, { spec, who: `output "${name}" of "${member.about.model}"` });
    }
  });
  steps.forEach(({ step, member }, index) => {
    for (const [name, tensor] of step.inputs) {
      const spec = member.about.inputs.find((candidate) => candidate.name === name);
      const source = tensors.get(tensor);
      if (spec === undefined) {
        refuse(
          [index, 'input_map', name],
          `is no input of model "${member.about.model}"; it has ${listOf(member.about.inputs)}`,
        );
      } else if (source !== undefined) {
        const fault = meetingFault(source, { spec, who: `input "${name}" of "${member.about.model}"` });
        if (fault !== undefined) refuse([index, 'input_map', name], `takes "${tensor}", but ${fault}`);
      }
    }
    for (const { name } of member.about.inputs) {
      if (!step.inputs.has(name))
        refuse(
          [index, 'input_map'],
          `has nothing for input "${name}" of model "${member.about.model}"; expected all of ${listOf(member.about.inputs)}`,
        );
    }
  });
  for (const spec of specsOf(config.outputs, maxBatchSize)) {
    const source = tensors.get(spec.name);
    const index = steps.findIndex(({ step }) => [...step.outputs.values()].includes(spec.name));
    const fault =
      source === undefined ? undefined : meetingFault(source, { spec, who: 'the output of the ensemble' });
    if (fault !== undefined) refuse([index, 'output_map'], `makes "${spec.name}", but ${fault}`);
  }
}

/** Shapes are compared with their batch dimension; a free size meets every other. */
function meetingFault(made: Meeting, taken: Meeting): string | undefined {
  const [from, to] = [made.spec, taken.spec];
  const says = ({ spec, who }: Meeting): string => `${who} is ${spec.datatype} [${spec.shape.join(',')}]`;
  const fits =
    from.datatype === to.datatype &&
    from.shape.length === to.shape.length &&
    from.shape.every((size, axis) => size === -1 || to.shape[axis] === -1 || size === to.shape[axis]);
  return fits ? undefined : `${says(made)} and ${says(taken)}`;
}

/** How the step decodes that the ensemble's only input goes to; undefined where none does. */
function decodingOf({ inputs = [] }: ModelConfig, steps: readonly BoundStep[]): ImageSpec | undefined {
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) return undefined;
  const taker = steps.find(
    ({ step, member }) => member.about.takesFiles && [...step.inputs.values()].includes(input.name),
  );
  return taker?.member.about.image ?? taker?.member.about.config.image;
}

/** Of its own files and steps, and of what its members answer with: it changes whenever its answers may. */
function digestOf({ digest, config, ensemble }: WishedEnsemble, steps: readonly BoundStep[]): string {
  const own = ensemble.steps.map(({ inputs, outputs }) => [[...inputs], [...outputs]]);
  const members = steps.map(({ member }) => [
    member.about.digest,
    member.about.config.image,
    member.about.config.outputs,
  ]);
  const text = JSON.stringify([digest, config.inputs, config.outputs, own, members]);
  return createHash('sha256').update(text).digest('hex');
}

function listOf(specs: readonly TensorSpec[]): string {
  return specs.map(({ name }) => `"${name}"`).join(', ') || 'none';
}
