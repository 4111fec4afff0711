import type { SourceDocument } from '../../documents/source-document.ts';
import type {
  EnsembleConfig,
  EnsembleStep,
  ModelBackend,
  VersionSteps,
} from '../ensemble/ensemble-config.ts';
import type { Refuse } from './field-checks.ts';
import type { ModelConfigFile } from './model-config-schema.ts';

/** What says nothing of an ensemble, or of a model that only decodes images; each with what says it instead. */
const OF_OTHERS = {
  dynamic_batching: "each step's model batches for itself",
  instance_group: "the steps' models have instances",
  default_model_filename: 'it has no file',
} as const;

/** Reads what runs the model: `platform`, `backend` and `ensemble_scheduling`. */
export function readBackend(file: ModelConfigFile, document: SourceDocument, refuse: Refuse): ModelBackend {
  const isImage = file.backend === 'image' || file.platform === 'image';
  if (file.platform !== 'ensemble' && file.ensemble_scheduling === undefined) {
    if (!isImage) return { kind: 'onnxruntime' };
    refuseFieldsOfOthers(file, 'a model that decodes images', refuse);
    checkImageModel(file, refuse);
    return { kind: 'image' };
  }
  const ensemble: EnsembleConfig = {
    steps: readSteps(file),
    problemAt: (path, message) => document.problemAt(['ensemble_scheduling', ...path], message),
  };
  if (file.ensemble_scheduling === undefined) {
    refuse(
      ['ensemble_scheduling'],
      'is missing; expected the steps of the ensemble, as platform says it is one',
    );
  }
  for (const key of ['platform', 'backend'] as const) {
    if ((file[key] ?? '') !== '' && file[key] !== 'ensemble')
      refuse([key], `is "${file[key] ?? ''}"; expected platform: ensemble, as ensemble_scheduling is there`);
  }
  refuseFieldsOfOthers(file, 'an ensemble', refuse);
  checkDeclared(file, refuse);
  checkSteps(file, ensemble.steps, refuse);
  return { kind: 'ensemble', ensemble, ofVersions: NO_VERSIONS };
}

/** They are read from the versions' own folders: see `version-steps.ts`. */
const NO_VERSIONS: ReadonlyMap<number, VersionSteps> = new Map();

/**
 * Reads steps that stand alone: those of one version.
 *
 * @param file the model's configuration, with the version's `ensemble_scheduling` in place of its own
 */
export function readVersionSteps(
  file: ModelConfigFile,
  document: SourceDocument,
  refuse: Refuse,
): EnsembleConfig {
  const steps = readSteps(file);
  checkSteps(file, steps, refuse);
  return {
    steps,
    problemAt: (path, message) => document.problemAt(['ensemble_scheduling', ...path], message),
  };
}

function readSteps(file: ModelConfigFile): readonly EnsembleStep[] {
  return (file.ensemble_scheduling?.step ?? []).map((step) => ({
    model: step.model_name,
    version: step.model_version === undefined || step.model_version < 1 ? undefined : step.model_version,
    inputs: new Map(Object.entries(step.input_map)),
    outputs: new Map(Object.entries(step.output_map)),
  }));
}

function refuseFieldsOfOthers(file: ModelConfigFile, what: string, refuse: Refuse): void {
  for (const [key, instead] of Object.entries(OF_OTHERS)) {
    const value = file[key as keyof typeof OF_OTHERS];
    const isThere =
      Array.isArray(value) || typeof value === 'string' ? value.length > 0 : value !== undefined;
    if (isThere) refuse([key], `says nothing of ${what}: ${instead}`);
  }
  if ((file.model_warmup ?? []).length > 0)
    refuse(['model_warmup'], `says nothing of ${what}: the steps' models are warmed up themselves`);
}

function checkImageModel(file: ModelConfigFile, refuse: Refuse): void {
  if (file.signalbox?.image === undefined)
    refuse(['signalbox', 'image'], 'is missing; expected how an image becomes a tensor');
  const [input, ...otherInputs] = file.input ?? [];
  if (input === undefined || otherInputs.length > 0) {
    refuse(['input'], `has ${file.input?.length ?? 0} inputs; expected one, of TYPE_STRING with dims [1]`);
  } else {
    const { data_type: type, dims } = input;
    const takesFiles = type === 'TYPE_STRING' && dims.length === 1 && dims[0] === 1;
    const takesBytes = type === 'TYPE_UINT8' && dims.length === 1 && dims[0] === -1;
    if (!takesFiles && !takesBytes) {
      refuse(
        ['input', 0],
        `is ${type} with dims [${dims.join(', ')}]; expected encoded images, TYPE_STRING with dims [1] or TYPE_UINT8 with dims [-1]`,
      );
    }
  }
  const [output, ...otherOutputs] = file.output ?? [];
  if (output === undefined || otherOutputs.length > 0)
    refuse(['output'], `has ${file.output?.length ?? 0} outputs; expected one`);
  else if (!['TYPE_FP32', 'TYPE_FP16', 'TYPE_UINT8'].includes(output.data_type)) {
    refuse(
      ['output', 0, 'data_type'],
      `is ${output.data_type}; images become TYPE_FP32, TYPE_FP16 or TYPE_UINT8`,
    );
  } else if (output.dims.length !== 3)
    refuse(['output', 0, 'dims'], `has ${output.dims.length} sizes; expected channels, height and width`);
}

function checkDeclared(file: ModelConfigFile, refuse: Refuse): void {
  for (const key of ['input', 'output'] as const) {
    if ((file[key] ?? []).length === 0) refuse([key], `is missing; expected the ${key}s of the ensemble`);
    file[key]?.forEach(({ reshape }, index) => {
      if (reshape !== undefined)
        refuse([key, index, 'reshape'], "says nothing of an ensemble: a step's model may have one");
    });
  }
}

/** The checks that need no other model. */
function checkSteps(file: ModelConfigFile, steps: readonly EnsembleStep[], refuse: Refuse): void {
  const at = (step: number, key: string): readonly (string | number)[] => [
    'ensemble_scheduling',
    'step',
    step,
    key,
  ];
  /** The step that makes a tensor; -1: the caller brings it. */
  const makers = new Map<string, number>((file.input ?? []).map(({ name }) => [name, -1]));
  steps.forEach(({ inputs, outputs }, index) => {
    if (file.ensemble_scheduling?.step[index]?.model_version === 0)
      refuse(at(index, 'model_version'), "is 0; expected a version's number, or -1 for the highest");
    if (inputs.size === 0) refuse(at(index, 'input_map'), "is empty; expected the model's inputs");
    if (outputs.size === 0) refuse(at(index, 'output_map'), 'is empty; expected at least one output');
    for (const [output, tensor] of outputs) {
      const maker = makers.get(tensor);
      if (maker === undefined) makers.set(tensor, index);
      else {
        refuse(
          [...at(index, 'output_map'), output],
          `is "${tensor}", which ${maker < 0 ? 'is an input of the ensemble' : `step ${maker} makes already`}; ` +
            'expected a name of its own',
        );
      }
    }
  });
  const wanted = new Set((file.output ?? []).map(({ name }) => name));
  steps.forEach(({ inputs }, index) => {
    for (const [input, tensor] of inputs) {
      wanted.add(tensor);
      if (makers.has(tensor)) continue;
      refuse(
        [...at(index, 'input_map'), input],
        `is "${tensor}", which no step makes and which is no input of the ensemble; there are: ${listOf(makers.keys())}`,
      );
    }
  });
  file.input?.forEach(({ name }, index) => {
    if (!wanted.has(name)) refuse(['input', index, 'name'], `is "${name}", which no step takes`);
  });
  file.output?.forEach(({ name }, index) => {
    const maker = makers.get(name);
    if (maker === undefined)
      refuse(
        ['output', index, 'name'],
        `is "${name}", which no step makes; they make: ${listOf(made(makers))}`,
      );
    else if (maker < 0)
      refuse(['output', index, 'name'], `is "${name}", an input of the ensemble; expected what a step makes`);
  });
  steps.forEach(({ outputs }, index) => {
    for (const [output, tensor] of outputs) {
      if (!wanted.has(tensor))
        refuse([...at(index, 'output_map'), output], `is "${tensor}", which nothing takes; leave it out`);
    }
  });
  const circle = circleOf(steps, makers);
  if (circle !== undefined) {
    refuse(
      at(circle[0] ?? 0, 'input_map'),
      `makes a circle: the steps ${circle.join(' and ')} wait for each other's tensors`,
    );
  }
}

function listOf(names: Iterable<string>): string {
  return [...names].map((name) => `"${name}"`).join(', ') || 'none';
}

function made(makers: ReadonlyMap<string, number>): readonly string[] {
  return [...makers].filter(([, step]) => step >= 0).map(([name]) => name);
}

/** Steps that can never start, because each waits for another of them; undefined where there are none. */
function circleOf(
  steps: readonly EnsembleStep[],
  makers: ReadonlyMap<string, number>,
): readonly number[] | undefined {
  const waiting = new Set(steps.keys());
  const isReady = (step: number): boolean =>
    [...(steps[step]?.inputs.values() ?? [])].every((tensor) => !waiting.has(makers.get(tensor) ?? -1));
  for (;;) {
    const ready = [...waiting].filter(isReady);
    if (ready.length === 0) break;
    for (const step of ready) waiting.delete(step);
  }
  return waiting.size === 0 ? undefined : [...waiting];
}
