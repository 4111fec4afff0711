import { registerModel, requireRegistering } from '../../../backends/registration/register-model.ts';
import type { Registered, Registration } from '../../../backends/registration/register-model.ts';
import { RegistrationError } from '../../../backends/registration/registration-error.ts';
import type { RegistrationFault } from '../../../backends/registration/registration-error.ts';
import { MAX_INSTANCES } from '../../../backends/repository/model-config-schema.ts';
import { GatewayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { requireModel } from '../../trust/rights.ts';
import type { ModelCaller } from '../extensions/repository-control.ts';
import { invalid, isObject, parseJson } from '../../json-values.ts';
import { ManagementQuery } from './query.ts';
import { fetchRemoteFile, remoteUrl } from './remote-file.ts';

const PARAMETERS = [
  'url',
  'model_name',
  'handler',
  'batch_size',
  'max_batch_delay',
  'initial_workers',
  'synchronous',
  'response_timeout',
];

const MAX_BATCH_SIZE = 65_536;
const MAX_BATCH_DELAY_MS = 60_000;
const MAX_RESPONSE_TIMEOUT_S = 1_000_000;

/** What `POST /models` answers. */
export interface RegisterAnswer {
  readonly status: 200 | 202;
  readonly text: string;
}

/**
 * TorchServe's `POST /models`: takes a file of the repository's folders, or of an address that is allowed, as a version of a model.
 *
 * @param body the same parameters as JSON, in the place of the query's
 * @throws GatewayError
 */
export async function register(
  { repository, config, log, modelChanges }: Gateway,
  { principal, actor }: ModelCaller,
  query: unknown,
  body: unknown,
): Promise<RegisterAnswer> {
  const asked = new ManagementQuery({ ...parametersOf(body), ...(query as object) }, PARAMETERS);
  const url = asked.text('url');
  if (url === undefined || url === '')
    throw invalid('Parameter url is required: the path of a file in the model repository, as resnet.mar');
  requireAnswerWithin(asked, config.timeouts.inferenceMs);
  const name = asked.text('model_name');
  if (principal.models !== undefined) {
    if (name === undefined) throw invalid('a key for some models needs model_name, one of its own');
    requireModel(principal, name);
    const [folder = ''] = url.split('/');
    // What lies in another model's folder would answer under the caller's own name.
    if (repository.index().some((line) => line.name === folder)) requireModel(principal, folder);
  }
  const instances = asked.whole('initial_workers', 1, MAX_INSTANCES);
  const isSynchronous = asked.flag('synchronous');
  const settings = {
    name,
    handler: asked.text('handler'),
    maxBatchSize: asked.whole('batch_size', 1, MAX_BATCH_SIZE),
    maxQueueDelayMs: asked.whole('max_batch_delay', 0, MAX_BATCH_DELAY_MS),
    instances,
  };
  const before = modelChanges.look();
  const { registered, shown } = await take(repository, config, url, settings).catch(refuse);
  const { name: model, version } = registered;
  const loaded = registered.loaded.then(() =>
    modelChanges.enter(model, { action: 'model.register', actor, url: shown }, before),
  );
  log.info({ model, version, url: shown }, 'registered');
  // As TorchServe does where workers are asked for and nobody waits for them.
  if (instances !== undefined && !isSynchronous) {
    loaded.catch((error: unknown) => {
      log.error({ err: error, model, version }, 'registering failed');
    });
    return { status: 202, text: ['Processing worker updates...', ...registered.notes].join(' ') };
  }
  await loaded.catch(refuse);
  const workers = repository.model(model)?.version(version)?.instances?.wanted ?? 0;
  return { status: 200, text: told(registered, workers) };
}

/** Takes the file of the repository, or one that is fetched for the moment. */
async function take(
  repository: Gateway['repository'],
  { models: { roots, allowedUrls } }: Gateway['config'],
  url: string,
  settings: Omit<Registration, 'from'>,
): Promise<{ readonly registered: Registered; readonly shown: string }> {
  const remote = remoteUrl(url);
  const [root] = roots;
  if (remote === undefined || root === undefined) {
    return { registered: await registerModel(repository, roots, { from: url, ...settings }), shown: url };
  }
  requireRegistering(repository);
  await using fetched = await fetchRemoteFile(remote, allowedUrls, root);
  const { file, shownUrl } = fetched;
  return { registered: await registerModel(repository, roots, { from: file, ...settings }), shown: shownUrl };
}

function told({ name, version, notes }: Registered, workers: number): string {
  return [`Model "${name}" Version: ${version} registered with ${workers} initial workers`, ...notes].join(
    '. ',
  );
}

/** TorchServe's own clients send the parameters in the query; its API takes them as JSON too. */
function parametersOf(body: unknown): object {
  if (!(body instanceof Uint8Array) || body.length === 0) return {};
  const parsed = parseJson(new TextDecoder().decode(body));
  if (!isObject(parsed))
    throw invalid("the body is no JSON object; expected the query's parameters, or no body");
  return Object.fromEntries(
    Object.entries(parsed)
      // Null stands for what is left out, as with TorchServe.
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

/** How long an answer may take is the gateway's own limit, which holds for all models. */
function requireAnswerWithin(asked: ManagementQuery, inferenceMs: number): void {
  const seconds = asked.whole('response_timeout', 1, MAX_RESPONSE_TIMEOUT_S);
  if (seconds === undefined || seconds * 1000 >= inferenceMs) return;
  throw new GatewayError(
    'unsupported',
    `response_timeout is ${seconds}, and timeouts.inference lets an answer take ${inferenceMs / 1000} s for all models; ` +
      'leave it out, or set timeouts.inference',
  );
}

const CODES: Readonly<Record<RegistrationFault, ErrorCode>> = {
  not_allowed: 'load_not_allowed',
  unknown_file: 'unknown_file',
  invalid: 'invalid_request',
  refused: 'unservable_file',
  exists: 'version_exists',
  failed: 'load_failed',
};

function refuse(error: unknown): never {
  if (!(error instanceof RegistrationError)) throw error;
  throw new GatewayError(CODES[error.fault], error.message, { cause: error });
}
