import type { Tensor } from '../../backends/tensor/tensor.ts';

/** Whether an output has a NaN or an infinity. */
export function hasNonFinite(outputs: readonly Tensor[]): boolean {
  return outputs.some(({ datatype, data }) => {
    if (data instanceof Float32Array || data instanceof Float64Array) {
      for (const value of data) if (!Number.isFinite(value)) return true;
      return false;
    }
    // All bits of the exponent are set: IEEE 754 binary16.
    if (datatype === 'FP16' && data instanceof Uint16Array)
      return data.some((bits) => (bits & 0x7c00) === 0x7c00);
    return false;
  });
}
