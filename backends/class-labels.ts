/** The labels of single outputs, by the outputs' names. */
export type OutputLabels = ReadonlyMap<string, readonly string[]>;

/** What the classes of a version's outputs are called. */
export interface ClassLabels {
  /** One label a class, in the classes' order; empty where there are none. */
  readonly labels: readonly string[];
  /** Where each output has its own: those of the outputs that have some; left out: `labels` are every output's. */
  readonly outputLabels?: OutputLabels | undefined;
}

/** One label a class of an output, in the classes' order; empty where it has none. */
export function labelsOf({ labels, outputLabels }: ClassLabels, output: string): readonly string[] {
  return outputLabels === undefined ? labels : (outputLabels.get(output) ?? []);
}
