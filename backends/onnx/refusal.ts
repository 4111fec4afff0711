/** ONNX's numbers of the element types that ONNX Runtime knows and its Node binding can't carry. */
const UNCARRIED_TYPES: Readonly<Record<string, string>> = {
  '16': 'bfloat16',
  '17': 'float8e4m3fn',
  '18': 'float8e4m3fnuz',
  '19': 'float8e5m2',
  '20': 'float8e5m2fnuz',
};

/** ONNX Runtime's reason for not loading a model, in words that say what to do where its own don't. */
export function explainRefusal(reason: string): string {
  const type = UNCARRIED_TYPES[/^Unsupported data type: (\d+)$/.exec(reason)?.[1] ?? ''];
  if (type === undefined) return reason;
  return (
    `an input or output is of type ${type}, which can't be passed to ONNX Runtime from Node; ` +
    'cast the inputs and outputs to float32 or float16 in the graph (inside of it the type may stay)'
  );
}
