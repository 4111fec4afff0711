/** A `model.onnx` whose `OUTPUT` is twice its `INPUT`, both `[batch, 4]` FP32: one operator that every provider has. */
export const PROBE_MODEL: Uint8Array = Buffer.from(
  'CAgSDnNpZ25hbGJveC10ZXN0OmEKGwoFSU5QVVQKBUlOUFVUEgZPVVRQVVQiA0FkZBIFZ3JhcGhaHAoFSU5QVVQSEwoRCAESDQoHEgViYXRjaAoCCARiHQoGT1VUUFVUEhMKEQgBEg0KBxIFYmF0Y2gKAggEQgIQEQ==',
  'base64',
);
