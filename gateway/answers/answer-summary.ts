import type { InferAnswer } from '../../backends/inference.ts';
import type { VersionDescription } from '../../backends/servable.ts';
import type { OutputReading } from '../../experiments/answers/answer-output.ts';
import { topConfidence } from '../../experiments/answers/confidence.ts';
import { scoreCategory, topLabels } from '../../experiments/answers/top-label.ts';
import { answerOutput } from './answer-outputs.ts';

/** What an answer said, in a few words: for what is measured without outcomes. */
export interface AnswerSummary {
  /** The class of the first row, or a category of its single score; undefined where it has neither. */
  readonly category: string | undefined;
  /** The probability of that class, 0 to 1; undefined where it can't be told. */
  readonly confidence: number | undefined;
}

/** Of a row with more scores than that nothing is said: looking at them all would hold the request up. */
const MOST_SCORES = 4096;

/** Looks at the first row of the first output that says anything. It is to be called while the answer's memory is lent. */
export function summarise(
  { outputs }: Pick<InferAnswer, 'outputs'>,
  { maxBatchSize, labels, image }: VersionDescription,
): AnswerSummary {
  const reading = { batches: maxBatchSize > 0, labels };
  for (const tensor of outputs) {
    const row = firstRow(tensor, reading);
    if (row.data.length > MOST_SCORES) continue;
    const output = answerOutput(row);
    const label = topLabels(output, reading)?.[0];
    if (label !== undefined)
      return { category: label, confidence: topConfidence(output, reading, image?.activation) };
    const { values } = output;
    if (values.kind === 'floats' && values.data.length === 1)
      return { category: scoreCategory(values.data[0] ?? NaN), confidence: undefined };
  }
  return { category: undefined, confidence: undefined };
}

type Output = InferAnswer['outputs'][number];

/** However many rows a request has, it is summarised by the first. */
function firstRow(output: Output, { batches }: OutputReading): Output {
  const rows = output.shape[0] ?? 1;
  if (!batches || rows <= 1) return output;
  const shape = [1, ...output.shape.slice(1)];
  return output.datatype === 'BYTES'
    ? { ...output, shape, data: output.data.slice(0, output.data.length / rows) }
    : { ...output, shape, data: output.data.subarray(0, output.data.length / rows) };
}
