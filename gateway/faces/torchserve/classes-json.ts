import type { ClassScore } from '../../../backends/image/top-classes.ts';

/**
 * Classes as TorchServe's image classifiers answer them: for one image a map from labels to probabilities, for several a list of
 * maps in their order. The maps are best first. Of classes that share a label the best one stands for it.
 *
 * @returns JSON; an object would bring labels that are numbers into another order
 */
export function classesJson(images: readonly (readonly ClassScore[])[]): string {
  const maps = images.map((classes) => {
    const seen = new Set<string>();
    const entries = classes.flatMap(({ label, confidence }) => {
      if (seen.has(label)) return [];
      seen.add(label);
      return [`${JSON.stringify(label)}:${JSON.stringify(confidence)}`];
    });
    return `{${entries.join(',')}}`;
  });
  return maps.length === 1 ? maps.join('') : `[${maps.join(',')}]`;
}
