import { dirname, resolve } from 'node:path';
import { InvalidDocuments, inOrder, isWithinOther } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { misfitsOf } from '../../documents/schema-check.ts';
import { soundPart } from '../../documents/sound-part.ts';
import { formatPath } from '../../documents/yaml-document.ts';
import { readHoldout } from '../../experiments/definition.ts';
import { readAllowedUrls } from './allowed-urls.ts';
import { readCache } from './cache-config.ts';
import type { Config, KeysPlace, TlsFiles } from './config.ts';
import { readEvents } from './events-config.ts';
import type { Interpolated } from './interpolate.ts';
import { rateOf, readLimits } from './limits-config.ts';
import { readListen } from './listen-config.ts';
import type { Refuse } from './refuse.ts';
import { ConfigSchema } from './schema.ts';
import type { ConfigText } from './schema.ts';
import { bytesOf } from './size.ts';
import { readStateAddress } from './state-config.ts';
import { readTimeouts } from './timeouts-config.ts';
import { readTracing } from './tracing-config.ts';
import { readWebhooks } from './webhook-config.ts';

/** What the process is called, where nobody says otherwise. */
const DEFAULT_NAME = 'signalbox';

const LARGEST_BODY_BYTES = 2 * 1024 ** 3;

/** What stands in for addresses and folders that are wrong, so that the rest of the file is looked at too. */
const LEAST: ConfigText = { listen: { http: '127.0.0.1:0' }, models: { repository: '.' } };

/**
 * Reads a configuration's document, and fills in what it leaves out.
 *
 * @param vulkanDriver whether the environment names a driver to the Vulkan loader
 * @throws InvalidDocuments with everything that is wrong with it
 */
export function readConfig({ document, unset }: Interpolated, vulkanDriver: boolean): Config {
  const read = soundPart(ConfigSchema, document.data, LEAST);
  const misfits = misfitsOf(document, ConfigSchema).filter(
    ({ path }) => !unset.some((told) => isWithinOther(told.path, path)),
  );
  const told = [...unset, ...misfits];
  const problems: Problem[] = [...told];
  const refuse: Refuse = (path, message, heldAgainst) => {
    const other = heldAgainst && formatPath(heldAgainst);
    if (other !== undefined && told.some((problem) => isWithinOther(problem.path, other))) return;
    problems.push(document.problemAt(path, message));
  };
  const absolute = (path: string): string => resolve(dirname(document.file), path);
  const { models, server = {}, telemetry = {} } = read;
  const timeouts = readTimeouts(read.timeouts ?? {}, refuse);
  const bodyLimitBytes = readBodyLimit(server.bodyLimit ?? '64MiB', refuse);
  if (models.load !== undefined && models.control !== 'explicit') {
    refuse(['models', 'load'], 'is there, but models.control is not explicit; all models are loaded then', [
      'models',
      'control',
    ]);
  }
  const isStateInRedis = /^rediss?[:+]/.test(read.state ?? '');
  const state = readStateAddress(read.state ?? 'memory', absolute);
  if (typeof state === 'string') refuse(['state'], state);
  const [firstSecret, ...otherSecrets] = [read.secret ?? []].flat();
  const tracing = readTracing(telemetry, DEFAULT_NAME, refuse);
  const tls = (plane: keyof Config['tls']): TlsFiles | undefined => readTls(plane, read, absolute, refuse);
  const config: Config = {
    file: document.file,
    listen: readListen(read, refuse),
    server: {
      name: server.name ?? DEFAULT_NAME,
      bodyLimitBytes,
      trustedProxies: server.trustProxy ?? 0,
    },
    models: {
      roots: [models.repository].flat().map(absolute),
      control: models.control ?? 'poll',
      load: models.load ?? [],
      defaultModel: models.defaultModel,
      allowedUrls: readAllowedUrls(models.allowedUrls ?? [], refuse),
      vulkanDriver,
    },
    experiments: read.experiments === undefined ? undefined : absolute(read.experiments),
    auth: readAuth(read, absolute, refuse),
    cache: readCache(read.cache ?? {}, refuse),
    holdout: read.holdout === undefined ? undefined : readHoldout(read.holdout, 'holdout'),
    timeouts,
    limits: readLimits(
      read.limits ?? {},
      { isStateInRedis, bodyLimitBytes, inferenceMs: timeouts.inferenceMs },
      refuse,
    ),
    tls: { http: tls('http'), grpc: tls('grpc'), admin: tls('admin') },
    state: typeof state === 'string' ? { kind: 'memory' } : state,
    secrets: firstSecret === undefined ? undefined : [firstSecret, ...otherSecrets],
    spool: absolute(read.spool ?? 'signalbox-spool'),
    auditFile: telemetry.audit === undefined ? undefined : absolute(telemetry.audit.file),
    webhooks: readWebhooks(read.webhooks ?? [], refuse),
    events:
      telemetry.events &&
      readEvents(
        telemetry.events,
        { otlp: tracing?.otlp, serverName: server.name ?? DEFAULT_NAME, isStateInRedis, absolute },
        refuse,
      ),
    tracing,
    tritonMetrics: telemetry.tritonMetrics ?? false,
    accessLogShare: telemetry.logs?.access ?? 0,
    logLevel: telemetry.logs?.level ?? 'info',
  };
  if (problems.length > 0) throw new InvalidDocuments(inOrder(problems));
  return Object.freeze(config);
}

function readBodyLimit(text: string, refuse: Refuse): number {
  const bytes = bytesOf(text);
  if (bytes < 1 || bytes > LARGEST_BODY_BYTES)
    refuse(['server', 'bodyLimit'], `is ${text}; expected from 1B to 2GiB`);
  return bytes;
}

function readTls(
  plane: keyof Config['tls'],
  { tls, listen }: ConfigText,
  absolute: (path: string) => string,
  refuse: Refuse,
): TlsFiles | undefined {
  const files = tls?.[plane];
  if (files === undefined) return undefined;
  if (listen[plane] === undefined)
    refuse(['tls', plane], `is there, but listen.${plane} is not`, ['listen', plane]);
  const { cert, key, ca } = files;
  return { cert: absolute(cert), key: absolute(key), ...(ca !== undefined && { ca: absolute(ca) }) };
}

function readAuth(
  { auth, state }: ConfigText,
  absolute: (path: string) => string,
  refuse: Refuse,
): Config['auth'] {
  const keysPlace = (text: string): KeysPlace => {
    if (text !== 'state') return { kind: 'file', file: absolute(text) };
    if (state === undefined || state === 'memory') {
      refuse(
        ['auth', 'keys'],
        'is state, and the state is kept in memory; expected a state that outlives the process',
        ['state'],
      );
    }
    return { kind: 'state' };
  };
  return {
    keys: auth?.keys === undefined ? undefined : keysPlace(auth.keys),
    tokens: auth?.jwt && {
      issuer: auth.jwt.issuer,
      audience: auth.jwt.audience,
      jwks: auth.jwt.jwks,
      scopesClaim: auth.jwt.scopesClaim ?? 'scope',
      rate: rateOf(auth.jwt.rate),
    },
  };
}
