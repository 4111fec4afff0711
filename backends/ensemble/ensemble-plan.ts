import type { Servable } from '../servable.ts';
import type { EnsembleStep } from './ensemble-config.ts';

/** A step with the version that runs it. */
export interface BoundStep {
  readonly step: EnsembleStep;
  readonly member: Servable;
}

/** What a request goes through, in positions of steps. */
export interface EnsemblePlan {
  readonly steps: readonly PlannedStep[];
  /** Steps that can start as soon as the request is there. */
  readonly first: readonly number[];
  /** The step that makes each of the wanted outputs. */
  readonly makers: ReadonlySet<number>;
}

export interface PlannedStep extends BoundStep {
  readonly number: number;
  /** Steps whose tensors it takes. */
  readonly after: readonly number[];
  /** Steps that take its tensors. */
  readonly before: readonly number[];
  /** The member's outputs that something takes. */
  readonly wanted: readonly string[];
}

/**
 * The steps that the wanted outputs need, and in which order: a step whose tensors nobody asked for is not run.
 *
 * @param wanted names of the ensemble's outputs
 */
export function planSteps(bound: readonly BoundStep[], wanted: readonly string[]): EnsemblePlan {
  const makerOf = new Map<string, number>();
  bound.forEach(({ step }, number) => {
    for (const tensor of step.outputs.values()) makerOf.set(tensor, number);
  });
  const taken = new Set(wanted);
  const needed = new Set<number>();
  const visit = (tensor: string): void => {
    const maker = makerOf.get(tensor);
    taken.add(tensor);
    if (maker === undefined || needed.has(maker)) return;
    needed.add(maker);
    for (const input of bound[maker]?.step.inputs.values() ?? []) visit(input);
  };
  for (const output of wanted) visit(output);
  const afterOf = ({ step }: BoundStep): readonly number[] => [
    ...new Set(
      [...step.inputs.values()].map((tensor) => makerOf.get(tensor)).filter((maker) => maker !== undefined),
    ),
  ];
  const steps = [...needed]
    .sort((a, b) => a - b)
    .flatMap((number): readonly PlannedStep[] => {
      const entry = bound[number];
      if (entry === undefined) return [];
      const before = [...needed].filter((other) => {
        const consumer = bound[other];
        return consumer !== undefined && afterOf(consumer).includes(number);
      });
      const outputs = [...entry.step.outputs].filter(([, tensor]) => taken.has(tensor));
      return [{ ...entry, number, after: afterOf(entry), before, wanted: outputs.map(([name]) => name) }];
    });
  return {
    steps,
    first: steps.filter(({ after }) => after.length === 0).map(({ number }) => number),
    makers: new Set(wanted.flatMap((output) => makerOf.get(output) ?? [])),
  };
}
