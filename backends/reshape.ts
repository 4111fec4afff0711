import type { InferAnswer, InferRequest } from './inference.ts';
import type { DeclaredTensor } from './repository/declared-tensor.ts';
import type { Tensor } from './tensor/tensor.ts';

/** How a tensor's sizes change on the way; both without the batch dimension. */
interface Reshape {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Where callers and the graph see other shapes of the same elements: the `reshape` of inputs and outputs. */
export interface Reshapes {
  readonly inputs: ReadonlyMap<string, Reshape>;
  readonly outputs: ReadonlyMap<string, Reshape>;
  /** 1 where the first dimension is the batch, which stays as it is; else 0. */
  readonly batchAxes: 0 | 1;
}

/** @returns undefined where nothing is reshaped, so that it costs requests nothing */
export function planReshapes(
  inputs: readonly DeclaredTensor[] = [],
  outputs: readonly DeclaredTensor[] = [],
  batches: boolean,
): Reshapes | undefined {
  const plan = (tensors: readonly DeclaredTensor[], toGraph: boolean): ReadonlyMap<string, Reshape> =>
    new Map(
      tensors.flatMap(({ name, dims, reshape }) =>
        reshape === undefined
          ? []
          : [[name, toGraph ? { from: dims, to: reshape } : { from: reshape, to: dims }] as const],
      ),
    );
  const plans = {
    inputs: plan(inputs, true),
    outputs: plan(outputs, false),
    batchAxes: batches ? 1 : 0,
  } as const;
  return plans.inputs.size + plans.outputs.size === 0 ? undefined : plans;
}

/** The tensors as the graph takes them; their elements are the same. */
export function toGraph({ inputs, batchAxes }: Reshapes, tensors: readonly Tensor[]): readonly Tensor[] {
  return tensors.map((tensor) => reshaped(inputs.get(tensor.name), batchAxes, tensor));
}

/** A request as the graph takes it. */
export function requestToGraph(reshapes: Reshapes, request: InferRequest): InferRequest {
  return { ...request, inputs: toGraph(reshapes, request.inputs) };
}

/** An answer as callers expect it. */
export function answerFromGraph({ outputs, batchAxes }: Reshapes, answer: InferAnswer): InferAnswer {
  return {
    ...answer,
    outputs: answer.outputs.map((tensor) => reshaped(outputs.get(tensor.name), batchAxes, tensor)),
    release: () => {
      answer.release();
    },
  };
}

function reshaped(reshape: Reshape | undefined, batchAxes: number, tensor: Tensor): Tensor {
  if (reshape === undefined) return tensor;
  const sizes = tensor.shape.slice(batchAxes);
  const free = sizes.filter((_, axis) => reshape.from[axis] === -1);
  const to = reshape.to.map((size) => (size === -1 ? (free.shift() ?? 1) : size));
  return { ...tensor, shape: [...tensor.shape.slice(0, batchAxes), ...to] };
}
