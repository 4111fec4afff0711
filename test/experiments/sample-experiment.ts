import { stringify } from 'yaml';
import { parseYaml } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment } from '../../experiments/definition.ts';

/** Versions that the model of every sample has. */
const VERSIONS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** The demo's experiment with some keys changed, read as a file is; a key that is undefined is left out. */
export function sampleExperiment(changes: Readonly<Record<string, unknown>> = {}): Experiment {
  const text = stringify(
    {
      key: 'digits-cnn',
      model: 'digits',
      status: 'running',
      control: 'v1',
      variants: [
        { name: 'v1', version: 1, weight: 90 },
        { name: 'v2', version: 2, weight: 10 },
      ],
      ...changes,
    },
    { keepUndefined: false },
  );
  return readExperiment(parseYaml(text, 'sample.yaml'), () => VERSIONS);
}
