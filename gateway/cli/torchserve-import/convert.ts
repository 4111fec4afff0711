import { stringify } from 'yaml';
import { listenOf } from './addresses.ts';
import { registrationsOf } from './registrations.ts';

/** TorchServe's configuration as ours. */
export interface Conversion {
  /** Content of `signalbox.yaml`. */
  readonly yaml: string;
  /** What doesn't come along, each by its name, with what to do. */
  readonly notes: readonly string[];
  /** Calls that register what TorchServe would have loaded, as lines for a shell. */
  readonly registrations: readonly string[];
}

/** Keys that need nothing here, and why. */
const NOT_NEEDED: readonly (readonly [RegExp, string])[] = [
  [
    /^(number_of_netty_threads|netty_client_threads|use_native_io|prefer_direct_buffer|io_ratio)$/,
    'there is no Netty to tune',
  ],
  [/^(async_logging|vmargs)$/, 'there is no Java machine to tune'],
  [
    /^(install_py_dep_per_model|enable_envvars_config|blacklist_env_vars|use_venv)$/,
    'no Python code is run, and the environment changes nothing',
  ],
  [/^(decode_input_request|service_envelope)$/, 'a request says by its form what it is'],
  [
    /^(metrics_mode|metrics_config|metrics_format|enable_metrics_api|system_metrics_cmd)$/,
    'metrics are always there for Prometheus (docs/metrics.md)',
  ],
  [
    /^(model_snapshot|snapshot_store|model_state_rollback|workflow_store)$/,
    'the repository is the state (docs/models.md)',
  ],
  [/^(number_of_gpu)$/, 'which GPUs run a model says its instance_group (docs/gpu.md)'],
  [/^(max_response_size)$/, 'what a model may answer is bounded by its shapes'],
  [
    /^(enable_model_api|model_api_enabled)$/,
    'models are registered with a key for admin:write, or on loopback (docs/keys.md)',
  ],
  [/^(disable_token_authorization|token_expiration_min)$/, 'auth.keys says who may call (docs/keys.md)'],
  [/^cors_/, 'pages of other sites are answered nothing; put a proxy in front that adds these headers'],
  [
    /^allowed_urls$/,
    'it has patterns; write the beginnings of addresses that models may be registered from as models.allowedUrls (docs/torchserve.md)',
  ],
  [
    /^(job_queue_size)$/,
    "set dynamic_batching.default_queue_policy.max_queue_size in the models' config.yaml (docs/batching.md)",
  ],
  [
    /^(default_workers_per_model)$/,
    "set instance_group in the models' config.yaml, or initial_workers when they are registered",
  ],
  [/^(limit_max_image_pixels)$/, 'limits.imagePixels bounds them, and is never off (docs/limits.md)'],
  [
    /^(default_startup_timeout|startup_timeout)$/,
    'a model that loads slowly takes no traffic until it is ready',
  ],
  [/^(cpu_launcher_|ipex_)/, 'ONNX Runtime runs the models; see docs/models.md for instances and threads'],
  [
    /^(keystore|keystore_pass|keystore_type)$/,
    'convert it: openssl pkcs12 -in keystore.p12 -out cert.pem -nodes, then set tls.http and tls.admin',
  ],
];

/** Keys that are read. */
const READ = new Set([
  'inference_address',
  'management_address',
  'metrics_address',
  'grpc_inference_address',
  'grpc_inference_port',
  'grpc_management_address',
  'grpc_management_port',
  'model_store',
  'load_models',
  'models',
  'default_response_timeout',
  'unregister_model_timeout',
  'max_request_size',
  'certificate_file',
  'private_key_file',
  'job_queue_size',
  'default_workers_per_model',
]);

/**
 * Turns TorchServe's `config.properties` into `signalbox.yaml`.
 *
 * @throws Error that names the key and the value that can't be read
 */
export function convertTorchserve(properties: ReadonlyMap<string, string>): Conversion {
  const { listen, tls, notes: addressNotes } = listenOf(properties);
  const config = {
    listen,
    ...bodyLimit(properties),
    models: { repository: properties.get('model_store') ?? './models', control: 'explicit', load: ['*'] },
    ...timeouts(properties),
    ...(tls !== undefined && { tls }),
  };
  const notes = [...addressNotes];
  for (const [key, value] of properties) {
    const known = NOT_NEEDED.find(([pattern]) => pattern.test(key));
    if (known !== undefined) notes.push(`${key}=${value}: ${known[1]}`);
    else if (!READ.has(key)) notes.push(`${key}=${value}: means nothing here`);
  }
  const { calls, notes: modelNotes } = registrationsOf(properties, listen.admin);
  return {
    yaml: `# Made of TorchServe's configuration; docs/configuration.md explains every key.\n${stringify(config)}`,
    notes: [...notes, ...modelNotes],
    registrations: calls,
  };
}

function bodyLimit(properties: ReadonlyMap<string, string>): object {
  const bytes = wholeAt(properties, 'max_request_size');
  return bytes === undefined ? {} : { server: { bodyLimit: `${bytes}B` } };
}

function timeouts(properties: ReadonlyMap<string, string>): object {
  const [inference, drain] = ['default_response_timeout', 'unregister_model_timeout'].map((key) =>
    wholeAt(properties, key),
  );
  const found = {
    ...(inference !== undefined && { inference: `${inference}s` }),
    ...(drain !== undefined && { drain: `${drain}s` }),
  };
  return Object.keys(found).length === 0 ? {} : { timeouts: found };
}

/** @throws Error */
function wholeAt(properties: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = properties.get(key);
  if (text === undefined) return undefined;
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw new Error(`${key} is ${JSON.stringify(text)}; expected a whole number above 0`);
}
