/** A kind of model that other servers run: what it is called, and how it becomes ONNX. */
interface ForeignModel {
  readonly what: string;
  readonly way: string;
}

const ELSEWHERE =
  'or leave it on the server that runs it now and route to that as an `upstream` variant (docs/export.md)';

const PYTORCH: ForeignModel = {
  what: 'a TorchScript or PyTorch model',
  way: 'export it with torch.onnx.export',
};
const TENSORFLOW: ForeignModel = { what: 'a TensorFlow model', way: 'convert it with tf2onnx' };
const TENSORRT: ForeignModel = {
  what: 'a TensorRT plan, which holds for one GPU only',
  way: 'serve the ONNX model that it was built from',
};
const PYTHON: ForeignModel = {
  what: "a model in Python code, for Triton's python backend",
  way: 'export what it computes to ONNX',
};
const OPENVINO: ForeignModel = {
  what: 'an OpenVINO model',
  way: 'serve the model that it was converted from',
};
const WEIGHTS: ForeignModel = {
  what: 'weights without a graph',
  way: 'load them in the framework that made them and export the model to ONNX',
};
const PICKLE: ForeignModel = {
  what: 'a pickled Python object, which is never loaded: it can run any code',
  way: 'convert it with skl2onnx',
};
const KERAS: ForeignModel = { what: 'a Keras model', way: 'convert it with tf2onnx' };
const TFLITE: ForeignModel = { what: 'a TensorFlow Lite model', way: 'convert it with tf2onnx --tflite' };
const TORCHSERVE: ForeignModel = {
  what: 'a TorchServe archive',
  way: 'register it where it holds an ONNX model (docs/torchserve.md), else export its model to ONNX',
};
const GGUF: ForeignModel = {
  what: 'a language model for llama.cpp',
  way: 'it needs a server that generates token by token',
};

/** By the end of the file's or folder's name. */
const BY_NAME: readonly (readonly [RegExp, ForeignModel])[] = [
  [/\.(plan|engine|trt)$/i, TENSORRT],
  [/\.(pt|pth|pt2|torchscript|ts)$/i, PYTORCH],
  [/\.(savedmodel|graphdef|pb)$/i, TENSORFLOW],
  [/^(saved_model)$/i, TENSORFLOW],
  [/\.py$/i, PYTHON],
  [/\.(xml)$/i, OPENVINO],
  [/\.safetensors$/i, WEIGHTS],
  [/\.(pkl|pickle|joblib|skops)$/i, PICKLE],
  [/\.(h5|hdf5|keras)$/i, KERAS],
  [/\.tflite$/i, TFLITE],
  [/\.mar$/i, TORCHSERVE],
  [/\.gguf$/i, GGUF],
];

/** By Triton's names of platforms and backends. */
const BY_BACKEND: Readonly<Record<string, ForeignModel>> = {
  tensorrt_plan: TENSORRT,
  tensorrt: TENSORRT,
  tensorrtllm: GGUF,
  pytorch_libtorch: PYTORCH,
  pytorch: PYTORCH,
  tensorflow_graphdef: TENSORFLOW,
  tensorflow_savedmodel: TENSORFLOW,
  tensorflow: TENSORFLOW,
  python: PYTHON,
  openvino: OPENVINO,
};

/** What a file is, if it is a model that isn't served here, and what to do: `model.pt is a …: export it …`. */
export function foreignModel(name: string): string | undefined {
  const found = BY_NAME.find(([pattern]) => pattern.test(name))?.[1];
  return found === undefined ? undefined : `${name} is ${found.what}: ${found.way}, ${ELSEWHERE}`;
}

/** What is wrong with a `platform` or `backend`; undefined where it is one that is served, or left out. */
export function backendFault(key: 'platform' | 'backend', name: string): string | undefined {
  const own = key === 'platform' ? 'onnxruntime_onnx' : 'onnxruntime';
  const others = key === 'platform' ? ['ensemble', 'image'] : ['image'];
  if (name === '' || name === own || others.includes(name)) return undefined;
  const known = Object.hasOwn(BY_BACKEND, name) ? BY_BACKEND[name] : undefined;
  const what = known === undefined ? '' : `, ${known.what}`;
  const way = known === undefined ? 'export the model to ONNX' : known.way;
  return `is "${name}"${what}; expected ${own}: ${way}, ${ELSEWHERE}`;
}
