import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { checkDocument } from '../../documents/schema-check.ts';
import type { Path, YamlDocument } from '../../documents/yaml-document.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { readHoldout } from '../../experiments/definition.ts';
import type { Holdout } from '../../experiments/definition.ts';
import type { StateAddress } from '../../experiments/stores/open-store.ts';
import { redisFault } from '../cache/cache-config.ts';
import type { CacheConfig } from '../cache/cache-config.ts';
import { interpolate } from './interpolate.ts';
import type { Environment } from './interpolate.ts';
import { parseRate } from '../limits/rate.ts';
import type { Rate } from '../limits/rate.ts';
import type { SheddingConfig } from '../overload/load-shedder.ts';
import type { LimitsConfig } from '../limits/limits.ts';
import type { TokenIssuer } from '../trust/jwt.ts';
import { LONGEST_MS, millisecondsOf } from './duration.ts';
import { ConfigSchema } from './schema.ts';
import { readWebhooks } from './webhook-config.ts';
import type { WebhookConfig } from './webhook-config.ts';
import { readStateAddress } from './state-config.ts';
import type { EventsConfig } from './state-config.ts';

export interface Address {
  /** A name or an IP address; IPv6 without its brackets. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** Where OpenTelemetry's data goes, over HTTP. */
export interface OtlpConfig {
  /** Ends with a slash; signals have their paths under it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}
/** Where keys are kept. */
export type KeysPlace = { readonly kind: 'file'; readonly file: string } | { readonly kind: 'state' };

/** A gateway's configuration, every default filled in. */
export interface Config {
  /** The file it was read from, as the user named it. */
  readonly file: string;
  readonly listen: {
    readonly http: Address;
    /** Undefined: the plane is off. */
    readonly grpc: Address | undefined;
    /** Undefined: the plane is off. */
    readonly metrics: Address | undefined;
    /** The control plane. Undefined: it is off. */
    readonly admin: Address | undefined;
  };
  readonly server: {
    readonly name: string;
    readonly bodyLimitBytes: number;
    /** Proxies of one's own that a call passes before it comes here; 0: the address at the other end is the caller's. */
    readonly trustedProxies: number;
  };
  readonly models: {
    /** Absolute paths. */
    readonly roots: readonly string[];
    /**
     * `poll`: changes in the folders are taken up; `none`: what was there at the start is served; `explicit`: what `load`
     * names, and what is loaded and unloaded by request.
     */
    readonly control: 'none' | 'poll' | 'explicit';
    /** With `explicit` control, the models that are loaded at the start; `*` stands for all. */
    readonly load: readonly string[];
    readonly defaultModel: string | undefined;
    /** Whether the environment names a driver to the Vulkan loader, which speaks for trying WebGPU. */
    readonly vulkanDriver: boolean;
  };
  /** Absolute path of the folder; undefined: no experiments. */
  readonly experiments: string | undefined;
  readonly auth: {
    /** Where the keys are: in a file (an absolute path), or in the state store, which all replicas share; undefined: there are none. */
    readonly keys: KeysPlace | undefined;
    /** Undefined: no tokens are taken. */
    readonly tokens: TokenIssuer | undefined;
  };
  /** Where answers are kept of models that ask for it. */
  readonly cache: CacheConfig;
  /** Units that every experiment leaves alone; undefined: none. */
  readonly holdout: Holdout | undefined;
  /** Where results and what is decided are kept. */
  readonly state: StateAddress;
  /** They sign prediction ids, the first for new ones; undefined: the state store has one. */
  readonly secrets: readonly [string, ...string[]] | undefined;
  /** Absolute path of the folder where outcomes wait while Redis is away. */
  readonly spool: string;
  /** Absolute path of the file that has the audit log as JSON Lines; undefined: only the state store has it. */
  readonly auditFile: string | undefined;
  /** Who is told of what happens to experiments. */
  readonly webhooks: readonly WebhookConfig[];
  /** Where exposures are written; undefined: nowhere but the state store. */
  readonly events: EventsConfig | undefined;
  readonly timeouts: {
    /** To receive a whole request; and then, for the caller, to take a long answer. */
    readonly requestMs: number;
    /** To receive a request's headers. */
    readonly headersMs: number;
    /** To receive a request's body, after its headers. */
    readonly bodyMs: number;
    /** An idle connection is closed after that. */
    readonly keepAliveMs: number;
    /** From a request, with all of its body, to its answer. */
    readonly inferenceMs: number;
    /** A run of a model that takes longer counts as hung. */
    readonly runMs: number;
    /** From failing readiness to closing the listeners at SIGTERM, for balancers to notice. */
    readonly graceMs: number;
    /** To answer what is in flight when the process is told to stop. */
    readonly drainMs: number;
  };
  readonly limits: LimitsConfig & {
    readonly imagePixels: number;
    /** `redis`: all replicas share them, in the Redis of the state. */
    readonly store: 'memory' | 'redis';
    readonly shedding: SheddingConfig;
    /** That a plane has open at once. */
    readonly connections: number;
  };
  /** Undefined: the plane is not encrypted. */
  readonly tls: Readonly<Record<'http' | 'grpc' | 'admin', TlsFiles | undefined>>;
  /** Undefined: nothing is traced. */
  readonly tracing: { readonly otlp: OtlpConfig; readonly sampleRatio: number } | undefined;
  /** Whether what versions do is told under Triton's names of metrics too. */
  readonly tritonMetrics: boolean;
  /** Of the requests, those that have a line in the log, 0 to 1. */
  readonly accessLogShare: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/**
 * Reads a configuration file.
 *
 * @throws InvalidDocuments with everything that is wrong with it
 */
export async function loadConfig(file: string, environment: Environment): Promise<Config> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidDocuments([fileProblem(file, `can't be read: ${reason}`)]);
  }
  return readConfig(
    interpolate(parseYaml(text, file), environment, ConfigSchema),
    vulkanDriverNamed(environment),
  );
}

/** Whether a driver is named to the Vulkan loader beside those that are installed. */
export function vulkanDriverNamed(environment: Environment): boolean {
  return ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'].some(
    (name) => environment[name] !== undefined,
  );
}

export function readConfig(document: YamlDocument, vulkanDriver: boolean): Config {
  const read = checkDocument(document, ConfigSchema);
  const problems: Problem[] = [];
  const refuse = (path: Path, message: string): void => {
    problems.push(document.problemAt(path, message));
  };
  const address = (plane: keyof Config['listen'], text: string): Address => {
    const colon = text.lastIndexOf(':');
    const port = Number(text.slice(colon + 1));
    if (port > 65_535) refuse(['listen', plane], `has port ${port}; the highest is 65535`);
    const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
    if (text.startsWith('[') && !isIPv6(host))
      refuse(['listen', plane], `has ${host}, which is no IPv6 address`);
    return { host, port };
  };
  /** Timers count whole milliseconds, up to 2^31 - 1 of them. */
  const duration = (key: keyof NonNullable<typeof read.timeouts>, fallback: string, leastMs = 1): number => {
    const text = read.timeouts?.[key] ?? fallback;
    const ms = millisecondsOf(text);
    if (!Number.isInteger(ms) || ms < leastMs || ms > LONGEST_MS) {
      refuse(
        ['timeouts', key],
        `is ${text}; expected whole milliseconds, from ${leastMs}ms to 24 days (576h)`,
      );
    }
    return ms;
  };
  const timeouts: Config['timeouts'] = {
    requestMs: duration('request', '60s'),
    headersMs: duration('headers', '10s'),
    bodyMs: duration('body', read.timeouts?.request ?? '60s'),
    keepAliveMs: duration('keepAlive', '72s'),
    inferenceMs: duration('inference', '30s'),
    // Nobody waits any longer for a run that has taken as long as an answer may.
    runMs: duration('run', read.timeouts?.inference ?? '30s'),
    graceMs: duration('grace', '1s', 0),
    drainMs: duration('drain', '30s'),
  };
  const bodyLimitBytes = bytesOf(read.server?.bodyLimit ?? '64MiB');
  if (bodyLimitBytes < 1 || bodyLimitBytes > LARGEST_BODY_BYTES) {
    refuse(['server', 'bodyLimit'], `is ${read.server?.bodyLimit ?? ''}; expected from 1B to 2GiB`);
  }
  const rate = (text: string | undefined): Rate | undefined =>
    text === undefined ? undefined : parseRate(text);
  const absolute = (path: string): string => resolve(dirname(document.file), path);
  const tlsFiles = (plane: keyof Config['tls']): TlsFiles | undefined => {
    const files = read.tls?.[plane];
    if (files === undefined) return undefined;
    if (read.listen[plane] === undefined) refuse(['tls', plane], `is there, but listen.${plane} is not`);
    const { cert, key, ca } = files;
    return { cert: absolute(cert), key: absolute(key), ...(ca !== undefined && { ca: absolute(ca) }) };
  };
  const readShedding = (): SheddingConfig => {
    const file = read.limits?.shedding ?? {};
    const bodyBytes = file.bodies === undefined ? Math.max(1024 ** 3, bodyLimitBytes) : bytesOf(file.bodies);
    if (bodyBytes < bodyLimitBytes) {
      refuse(['limits', 'shedding', 'bodies'], `is ${file.bodies ?? ''}, less than server.bodyLimit`);
    }
    return {
      // Half of the time that an answer may take: what waits longer hardly has a chance.
      waitMs: file.wait === undefined ? timeouts.inferenceMs / 2 : millisecondsOf(file.wait),
      eventLoopDelayMs: millisecondsOf(file.eventLoopDelay ?? '1s'),
      heapShare: (file.heapPercent ?? 90) / 100,
      bodyBytes,
    };
  };
  const readLimits = (): Config['limits'] => {
    const file = read.limits ?? {};
    if (file.store === 'redis' && !/^rediss?[:+]/.test(read.state ?? '')) {
      refuse(['limits', 'store'], 'is redis, and the state is not; expected a state in Redis');
    }
    return {
      imagePixels: file.imagePixels ?? 64_000_000,
      store: file.store ?? 'memory',
      cost: file.cost ?? 'rows',
      address: {
        rate: rate(file.addressRate),
        concurrency: file.addressConcurrency,
        daily: file.addressDaily,
      },
      key: { rate: rate(file.keyRate), concurrency: file.keyConcurrency, daily: file.keyDaily },
      models: ratesOf(file.models),
      experiments: ratesOf(file.experiments),
      connections: file.connections ?? 16_384,
      shedding: readShedding(),
    };
  };
  const keysPlace = (text: string): KeysPlace => {
    if (text !== 'state') return { kind: 'file', file: absolute(text) };
    if (read.state === undefined || read.state === 'memory') {
      refuse(
        ['auth', 'keys'],
        'is state, and the state is kept in memory; expected a state that outlives the process',
      );
    }
    return { kind: 'state' };
  };
  const { auth, listen, models } = read;
  if (models.load !== undefined && models.control !== 'explicit') {
    refuse(['models', 'load'], 'is there, but models.control is not explicit; all models are loaded then');
  }
  const state = readStateAddress(read.state ?? 'memory', absolute);
  if (typeof state === 'string') refuse(['state'], state);
  const [firstSecret, ...otherSecrets] = [read.secret ?? []].flat();
  const readTracing = (): Config['tracing'] => {
    const { otlp, sampleRatio } = read.telemetry ?? {};
    if (otlp === undefined) {
      if (sampleRatio !== undefined)
        refuse(['telemetry', 'sampleRatio'], 'goes with telemetry.otlp, which says where traces are sent');
      return undefined;
    }
    if (!URL.canParse(otlp.endpoint))
      refuse(['telemetry', 'otlp', 'endpoint'], 'is no URL; expected one as http://127.0.0.1:4318');
    const { headers = {}, serviceName = DEFAULT_NAME } = otlp;
    const endpoint = otlp.endpoint.endsWith('/') ? otlp.endpoint : `${otlp.endpoint}/`;
    return { otlp: { endpoint, headers, serviceName }, sampleRatio: sampleRatio ?? DEFAULT_SAMPLE_RATIO };
  };
  const tracing = readTracing();
  const readEvents = (): EventsConfig | undefined => {
    const file = read.telemetry?.events;
    if (file === undefined) return undefined;
    const sink = file.sink ?? 'file';
    for (const [key, owner] of Object.entries(SINK_KEYS)) {
      if (key in file && owner !== sink)
        refuse(['telemetry', 'events', key], `goes with sink: ${owner}, and the sink is ${sink}`);
    }
    if (sink === 'otlp') {
      const shared = tracing?.otlp;
      const url = file.endpoint ?? (shared && `${shared.endpoint}v1/logs`);
      if (file.endpoint !== undefined && !URL.canParse(file.endpoint))
        refuse(
          ['telemetry', 'events', 'endpoint'],
          'is no URL; expected one as http://collector:4318/v1/logs',
        );
      if (url === undefined)
        refuse(
          ['telemetry', 'events'],
          "has no endpoint; expected the receiver's URL for logs, as http://collector:4318/v1/logs, or telemetry.otlp beside it",
        );
      return {
        kind: 'otlp',
        url: url ?? '',
        headers: file.headers ?? shared?.headers ?? {},
        timeoutMs: millisecondsOf(file.timeout ?? '10s'),
        serviceName: shared?.serviceName ?? read.server?.name ?? DEFAULT_NAME,
      };
    }
    if (sink === 'redis') {
      if (typeof state !== 'string' && state.kind !== 'redis') {
        refuse(['telemetry', 'events', 'sink'], 'is redis, and the state is not; expected a state in Redis');
      }
      return { kind: 'redis', maxLength: file.maxLength ?? 1_000_000 };
    }
    const maxBytes = bytesOf(file.maxSize ?? '64MiB');
    if (maxBytes < 1024) refuse(['telemetry', 'events', 'maxSize'], 'is below 1KiB, which holds no line');
    return {
      kind: 'file',
      path: absolute(file.file ?? 'exposures.jsonl'),
      maxBytes,
      maxFiles: file.maxFiles ?? 8,
    };
  };
  const readCache = (): CacheConfig => {
    const { memory, redis, ttl = '1h' } = read.cache ?? {};
    const ttlMs = millisecondsOf(ttl);
    if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > LONGEST_MS)
      refuse(['cache', 'ttl'], `is ${ttl}; expected whole milliseconds, from 1ms to 24 days (576h)`);
    if (redis === undefined) return { kind: 'memory', maxBytes: bytesOf(memory ?? '64MiB'), ttlMs };
    if (memory !== undefined)
      refuse(['cache', 'memory'], 'is there beside redis; expected one of the two, the place of the answers');
    const fault = redisFault(redis);
    if (fault !== undefined) refuse(['cache', 'redis'], fault);
    return { kind: 'redis', url: redis, ttlMs };
  };
  const config: Config = {
    file: document.file,
    listen: {
      http: address('http', listen.http),
      grpc: listen.grpc === undefined ? undefined : address('grpc', listen.grpc),
      metrics: listen.metrics === undefined ? undefined : address('metrics', listen.metrics),
      admin: listen.admin === undefined ? undefined : address('admin', listen.admin),
    },
    server: {
      name: read.server?.name ?? DEFAULT_NAME,
      bodyLimitBytes,
      trustedProxies: read.server?.trustProxy ?? 0,
    },
    models: {
      roots: [models.repository].flat().map(absolute),
      control: models.control ?? 'poll',
      load: models.load ?? [],
      defaultModel: models.defaultModel,
      vulkanDriver,
    },
    experiments: read.experiments === undefined ? undefined : absolute(read.experiments),
    auth: {
      keys: auth?.keys === undefined ? undefined : keysPlace(auth.keys),
      tokens:
        auth?.jwt === undefined
          ? undefined
          : {
              issuer: auth.jwt.issuer,
              audience: auth.jwt.audience,
              jwks: auth.jwt.jwks,
              scopesClaim: auth.jwt.scopesClaim ?? 'scope',
              rate: rate(auth.jwt.rate),
            },
    },
    cache: readCache(),
    holdout: read.holdout === undefined ? undefined : readHoldout(read.holdout, 'holdout'),
    timeouts,
    limits: readLimits(),
    tls: { http: tlsFiles('http'), grpc: tlsFiles('grpc'), admin: tlsFiles('admin') },
    state: typeof state === 'string' ? { kind: 'memory' } : state,
    secrets: firstSecret === undefined ? undefined : [firstSecret, ...otherSecrets],
    spool: absolute(read.spool ?? 'signalbox-spool'),
    auditFile: read.telemetry?.audit === undefined ? undefined : absolute(read.telemetry.audit.file),
    webhooks: readWebhooks(read.webhooks ?? [], refuse),
    events: readEvents(),
    tracing,
    tritonMetrics: read.telemetry?.tritonMetrics ?? false,
    accessLogShare: read.telemetry?.logs?.access ?? 0,
    logLevel: read.telemetry?.logs?.level ?? 'info',
  };
  if (problems.length > 0) throw new InvalidDocuments(problems);
  return Object.freeze(config);
}

function ratesOf(file: Readonly<Record<string, string>> = {}): ReadonlyMap<string, Rate> {
  return new Map(
    Object.entries(file).flatMap(([name, text]) => {
      const rate = parseRate(text);
      return rate === undefined ? [] : [[name, rate]];
    }),
  );
}

/** What the process is called, where nobody says otherwise. */
const DEFAULT_NAME = 'signalbox';

/** Enough to see what is usual; what fails is traced anyway. */
const DEFAULT_SAMPLE_RATIO = 0.01;
/** The keys of `telemetry.events` that go with one sink only. */
const SINK_KEYS = {
  file: 'file',
  maxSize: 'file',
  maxFiles: 'file',
  maxLength: 'redis',
  endpoint: 'otlp',
  headers: 'otlp',
  timeout: 'otlp',
} as const;

const LARGEST_BODY_BYTES = 2 * 1024 ** 3;

const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** `64MiB` becomes 67108864. */
function bytesOf(size: string): number {
  const unit = size.replace(/^[0-9]+/, '');
  return Number.parseInt(size, 10) * BYTES[unit as keyof typeof BYTES];
}
