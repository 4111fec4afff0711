/**
 * What `signalbox init` writes.
 *
 * @param model the served name of the first model
 * @returns content by path, relative to the folder
 */
export function starterFiles(model: string): Readonly<Record<string, string>> {
  return {
    'signalbox.yaml': `# The gateway's configuration; docs/configuration.md explains every key. Paths are relative to this file, and
# \${NAME} or \${NAME:-default} takes a value from the environment.
listen:
  http: 127.0.0.1:8000 # inference over HTTP
  grpc: 127.0.0.1:8001 # inference over gRPC
  metrics: 127.0.0.1:8002 # GET /metrics, for Prometheus
  admin: 127.0.0.1:8003 # what \`signalbox status\`, \`results\` and \`promote\` ask, and the console
models:
  # models/<name>/<version>/model.onnx; versions are whole numbers above 0. New ones are taken up while it runs.
  repository: ./models
  # What POST /predict uses, where there are several.
  # defaultModel: ${model}
# One file an experiment; edits take effect while it runs.
experiments: ./experiments
# Where what was counted is kept; with several replicas redis://host:6379/0.
state: sqlite:./signalbox.db
# Without keys everybody who reaches an address may call it. \`signalbox keys --help\` makes them.
# auth: { keys: ./keys.yaml }
# timeouts: { inference: 30s, grace: 1s, drain: 30s }
`,
    [`experiments/${model}.yaml`]: `# Is version 2 of the model better than version 1? docs/experiments.md explains every key.
key: ${model}-v2
model: ${model}
# draft: ignored. Set it to running when both versions are in the repository.
status: draft
# The request header that names who is assigned; the same value always gets the same variant.
hashAttribute: x-user-id
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: 2, weight: 10 }
`,
    'models/README.md': `# The model repository

    ${model}/1/model.onnx     version 1
    ${model}/2/model.onnx     version 2
    ${model}/config.yaml      batching, labels, images; optional (docs/models.md)
`,
  };
}
