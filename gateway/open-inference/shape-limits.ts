/** Dimensions of a tensor; ONNX Runtime itself has models of six at most in practice. */
export const MAX_RANK = 32;

/** Of one dimension; what a tensor has in all is held against what came of it. */
export const LARGEST_DIMENSION = 2 ** 31;
