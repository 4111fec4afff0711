import type { Tensor } from '../../backends/tensor/tensor.ts';
import type { AnswerOutput, AnswerValues } from '../../experiments/answers/answer-output.ts';

/** Outputs as experiments read them. Nothing is copied: they are read while their memory is lent. */
export function answerOutputs(outputs: readonly Tensor[]): readonly AnswerOutput[] {
  return outputs.map(answerOutput);
}

/** As {@link answerOutputs}, of one of them. */
export function answerOutput(output: Tensor): AnswerOutput {
  const { name, datatype, shape } = output;
  return { name, datatype, shape, values: valuesOf(output) };
}

function valuesOf(output: Tensor): AnswerValues {
  switch (output.datatype) {
    case 'FP16': {
      const { buffer, byteOffset, length } = output.data;
      return { kind: 'floats', data: new Float16Array(buffer, byteOffset, length) };
    }
    case 'FP32':
    case 'FP64':
      return { kind: 'floats', data: numbersOf(output.data) };
    case 'BYTES':
      return { kind: 'labels', data: output.data.map(textOf) };
    default:
      return { kind: 'labels', data: output.data };
  }
}

/** Bytes that are no text, in a form in which equal ones are equal. */
function textOf(element: string | Uint8Array): string {
  return typeof element === 'string' ? element : Buffer.from(element).toString('base64');
}

/** Of the types of floating-point tensors; the others don't come here. */
function numbersOf(data: Tensor['data']): ArrayLike<number> {
  return data instanceof Float32Array || data instanceof Float64Array ? data : [];
}

/** The same outputs in memory of their own: what is lent goes back, and may be overwritten. */
export function ownOutputs(outputs: readonly Tensor[]): readonly Tensor[] {
  return outputs.map((output) =>
    output.datatype === 'BYTES' ? output : { ...output, data: output.data.slice() },
  );
}

/** Bytes that tensors hold; of texts their characters. */
export function bytesOf(tensors: readonly Tensor[]): number {
  return tensors.reduce(
    (sum, tensor) =>
      sum +
      (tensor.datatype === 'BYTES'
        ? tensor.data.reduce((length, text) => length + text.length, 0)
        : tensor.data.byteLength),
    0,
  );
}
