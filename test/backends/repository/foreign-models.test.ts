import { expect, test } from 'vitest';
import { addingModel } from '../../models/small-models.ts';
import { openRepository } from './open-repository.ts';

test.each([
  [
    'model.plan',
    'a TensorRT plan, which holds for one GPU only: serve the ONNX model that it was built from, or ',
  ],
  ['model.pt', 'a TorchScript or PyTorch model: export it with torch.onnx.export, or '],
  ['model.savedmodel/saved_model.pb', 'a TensorFlow model: convert it with tf2onnx, or '],
  ['model.graphdef', 'a TensorFlow model: convert it with tf2onnx, or '],
  ['model.py', "a model in Python code, for Triton's python backend: export what it computes to ONNX, or "],
  ['model.xml', 'an OpenVINO model: serve the model that it was converted from, or '],
  ['model.safetensors', 'weights without a graph: '],
  [
    'classifier.pkl',
    'a pickled Python object, which is never loaded: it can run any code: convert it with skl2onnx, or ',
  ],
  ['classifier.joblib', 'a pickled Python object, which is never loaded: '],
  ['model.h5', 'a Keras model: convert it with tf2onnx, or '],
  ['model.keras', 'a Keras model: '],
  ['model.tflite', 'a TensorFlow Lite model: convert it with tf2onnx --tflite, or '],
  [
    'model.mar',
    'a TorchServe archive: register it where it holds an ONNX model (docs/torchserve.md), else export its model to ONNX, or ',
  ],
  ['model.gguf', 'a language model for llama.cpp: it needs a server that generates token by token, or '],
])('a version with a %s and no ONNX model is refused by that name, with what to do', async (file, what) => {
  await using opened = await openRepository({ [`m/1/${file}`]: 'x', 'm/2/model.onnx': addingModel(2) });
  const name = file.split('/')[0] ?? '';
  const state = opened.stateOf('m', 1) ?? '';
  expect(state.startsWith(`UNAVAILABLE ${name} is ${what}`)).toBe(true);
  expect(state).toContain('route to that as an `upstream` variant (docs/export.md)');
  expect(opened.stateOf('m', 2)).toBe('READY');
});

test('beside an ONNX model other files are nobody’s business', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1), 'm/1/model.pt': 'x' });
  expect(opened.stateOf('m', 1)).toBe('READY');
});

test('a model that stands outside a version’s folder is told of, with where it belongs', async () => {
  await using opened = await openRepository({
    'loose.onnx': addingModel(1),
    'loose.pt': 'x',
    'notes.txt': 'x',
    'm/model.onnx': addingModel(1),
  });
  const told = opened.events.onFolder.mock.calls.map(([path, reason]) => [
    path.slice(opened.root.path.length),
    reason,
  ]);
  expect(told).toEqual([
    ['/loose.onnx', `loose.onnx stands in no version's folder; expected MODEL/1/model.onnx`],
    ['/loose.pt', expect.stringContaining('loose.pt is a TorchScript or PyTorch model')],
    [
      '/m',
      "has no version: expected a folder named 1 with a model.onnx; model.onnx stands in no version's folder; " +
        'expected MODEL/1/model.onnx',
    ],
  ]);
});

test('the file that default_model_filename names is the model, and of another kind it is refused by name', async () => {
  await using opened = await openRepository({
    'a/config.yaml': 'default_model_filename: net.onnx',
    'a/1/net.onnx': addingModel(1),
    'b/config.pbtxt': 'default_model_filename: "net.plan"',
    'b/1/net.plan': 'x',
  });
  expect(opened.stateOf('a', 1)).toBe('READY');
  expect(opened.stateOf('b', 1)).toContain('UNAVAILABLE net.plan is a TensorRT plan');
});
