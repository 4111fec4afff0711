import type { Datatype } from '../tensor/datatype.ts';

/** A request that a version is run with before it takes traffic: an entry of `model_warmup`. */
export interface WarmupSample {
  readonly name: string;
  /** Rows of the request; the data of one row is repeated for each. 1 for a model that doesn't batch. */
  readonly rows: number;
  /** How often each instance is run with it, >= 1. */
  readonly count: number;
  /** Every input of the model. */
  readonly inputs: readonly WarmupInput[];
}

export interface WarmupInput {
  readonly name: string;
  readonly datatype: Datatype;
  /** Without the batch dimension. */
  readonly dims: readonly number[];
  readonly data: WarmupData;
}

export type WarmupData =
  /** Zeros, or empty strings. */
  | { readonly kind: 'zero' }
  /** Numbers from 0 to 1, whole numbers from 0 to 9; strings are empty, as Triton has it. */
  | { readonly kind: 'random' }
  /** The row's raw bytes in row-major order, in a file of the model's folder `warmup`. */
  | { readonly kind: 'file'; readonly file: string };
