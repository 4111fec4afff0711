import type { Problem } from '../../documents/problem.ts';
import type { SourceDocument } from '../../documents/source-document.ts';
import type { ModelConfigFile } from './model-config-schema.ts';

/** Reads `optimization.execution_accelerators`: of them TensorRT is known, with the runtime's own settings. */
export function readAccelerators(
  file: ModelConfigFile,
  document: SourceDocument,
): { readonly tensorrt: boolean; readonly warnings: readonly Problem[] } {
  const { gpu_execution_accelerator: onGpu = [], cpu_execution_accelerator: onCpu = [] } =
    file.optimization?.execution_accelerators ?? {};
  const path = ['optimization', 'execution_accelerators'];
  const warnings: Problem[] = [];
  onGpu.forEach(({ name = '', parameters = {} }, index) => {
    const place = [...path, 'gpu_execution_accelerator', index];
    if (name !== 'tensorrt') {
      warnings.push(
        document.problemAt(
          place,
          `is "${name}", which is not supported: tensorrt is, without it CUDA or WebGPU run it`,
        ),
      );
    } else if (Object.keys(parameters).length > 0) {
      warnings.push(
        document.problemAt(
          [...place, 'parameters'],
          "are not supported: TensorRT has the runtime's own settings",
        ),
      );
    }
  });
  onCpu.forEach(({ name = '' }, index) => {
    const place = [...path, 'cpu_execution_accelerator', index];
    warnings.push(
      document.problemAt(
        place,
        `is "${name}", which is not supported: the runtime's own CPU provider runs it`,
      ),
    );
  });
  return { tensorrt: onGpu.some(({ name }) => name === 'tensorrt'), warnings };
}
