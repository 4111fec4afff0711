import type { CallerLimits } from '../limits/caller-limits.ts';
import { formatRate } from '../limits/rate.ts';
import type { Rate } from '../limits/rate.ts';
import type { Address, Config } from './config.ts';
import type { EventsConfig } from './events-config.ts';

/** Stands for what nobody is shown. */
export const REDACTED = '[redacted]';

/** A resolved configuration in the words of `signalbox.yaml`: every default filled in, paths absolute, secrets redacted. */
export function shownConfig(config: Config): object {
  const { listen, server, models, auth, timeouts, limits, tls, state, secrets, events, cache, tracing } =
    config;
  const shown = {
    listen: {
      http: addressText(listen.http),
      grpc: listen.grpc && addressText(listen.grpc),
      metrics: listen.metrics && addressText(listen.metrics),
      admin: listen.admin && addressText(listen.admin),
    },
    server: {
      name: server.name,
      bodyLimit: `${server.bodyLimitBytes}B`,
      trustProxy: server.trustedProxies,
    },
    models: {
      repository: models.roots,
      control: models.control,
      load: models.control === 'explicit' ? models.load : undefined,
      defaultModel: models.defaultModel,
      allowedUrls: models.allowedUrls.length === 0 ? undefined : models.allowedUrls,
    },
    experiments: config.experiments,
    auth: {
      keys: auth.keys?.kind === 'file' ? auth.keys.file : auth.keys?.kind,
      jwt: auth.tokens && {
        issuer: withoutCredentials(auth.tokens.issuer),
        audience: auth.tokens.audience,
        jwks: auth.tokens.jwks && withoutCredentials(auth.tokens.jwks),
        scopesClaim: auth.tokens.scopesClaim,
        rate: rateText(auth.tokens.rate),
      },
    },
    cache:
      cache.kind === 'memory'
        ? { memory: `${cache.maxBytes}B`, ttl: msText(cache.ttlMs) }
        : { redis: withoutPassword(cache.url), ttl: msText(cache.ttlMs) },
    holdout: config.holdout,
    state: stateText(state),
    secret: secrets?.map(() => REDACTED),
    webhooks:
      config.webhooks.length === 0
        ? undefined
        : config.webhooks.map(({ name, type, secret, events: wanted, timeoutMs }) => ({
            name,
            url: REDACTED,
            type,
            ...(secret !== undefined && { secret: REDACTED }),
            ...(wanted !== undefined && { events: wanted }),
            timeout: msText(timeoutMs),
          })),
    spool: config.spool,
    timeouts: {
      request: msText(timeouts.requestMs),
      headers: msText(timeouts.headersMs),
      body: msText(timeouts.bodyMs),
      keepAlive: msText(timeouts.keepAliveMs),
      inference: msText(timeouts.inferenceMs),
      run: msText(timeouts.runMs),
      warmup: msText(timeouts.warmupMs),
      grace: msText(timeouts.graceMs),
      drain: msText(timeouts.drainMs),
    },
    limits: {
      imagePixels: limits.imagePixels,
      store: limits.store,
      cost: limits.cost,
      connections: limits.connections,
      ...callerLimits('address', limits.address),
      ...callerLimits('key', limits.key),
      models: ratesText(limits.models),
      experiments: ratesText(limits.experiments),
      shedding: {
        wait: msText(limits.shedding.waitMs),
        eventLoopDelay: msText(limits.shedding.eventLoopDelayMs),
        heapPercent: Math.round(limits.shedding.heapShare * 100),
        bodies: `${limits.shedding.bodyBytes}B`,
      },
    },
    tls,
    telemetry: {
      logs: { level: config.logLevel, access: config.accessLogShare },
      otlp: tracing && {
        endpoint: withoutCredentials(tracing.otlp.endpoint),
        headers: withoutValues(tracing.otlp.headers),
        serviceName: tracing.otlp.serviceName,
      },
      sampleRatio: tracing?.sampleRatio,
      tritonMetrics: config.tritonMetrics,
      audit: config.auditFile === undefined ? undefined : { file: config.auditFile },
      events: events && shownEvents(events),
    },
  };
  return pruned(shown) ?? {};
}

function shownEvents(events: EventsConfig): object {
  switch (events.kind) {
    case 'file':
      return {
        sink: 'file',
        file: events.path,
        maxSize: `${events.maxBytes}B`,
        maxFiles: events.maxFiles,
      };
    case 'redis':
      return { sink: 'redis', maxLength: events.maxLength };
    case 'otlp':
      return {
        sink: 'otlp',
        endpoint: withoutCredentials(events.url),
        headers: withoutValues(events.headers),
        timeout: msText(events.timeoutMs),
      };
  }
}

/** Where the state is kept, in the words of `state`. */
export function stateText(state: Config['state']): string {
  switch (state.kind) {
    case 'memory':
      return 'memory';
    case 'sqlite':
      return `sqlite:${state.file}`;
    case 'redis':
      return withoutPassword(state.url);
  }
}

/** A Redis address whose password is not shown. */
export function withoutPassword(url: string): string {
  return withoutQueryValues(url.replace(/:\/\/([^:@/]*):[^/]*@/, `://$1:${REDACTED}@`));
}

/** The address of a receiver: whoever is named in it may be a token. */
function withoutCredentials(url: string): string {
  return withoutQueryValues(url.replace(/:\/\/[^/]*@/, `://${REDACTED}@`));
}

function withoutQueryValues(url: string): string {
  return url.replace(/([?&][^=&#]*=)[^&#]*/g, `$1${REDACTED}`);
}

function withoutValues(headers: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, REDACTED]));
}

function addressText({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function msText(ms: number): string {
  return ms % 1000 === 0 && ms > 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function rateText(rate: Rate | undefined): string | undefined {
  return rate && formatRate(rate);
}

function ratesText(rates: ReadonlyMap<string, Rate>): object | undefined {
  return rates.size === 0
    ? undefined
    : Object.fromEntries([...rates].map(([name, rate]) => [name, formatRate(rate)]));
}

function callerLimits(prefix: string, { rate, concurrency, daily }: CallerLimits): object {
  return {
    [`${prefix}Rate`]: rateText(rate),
    [`${prefix}Concurrency`]: concurrency,
    [`${prefix}Daily`]: daily,
  };
}

/** Without what is undefined, at any depth, and without maps that are empty then. */
function pruned(value: object): object | undefined {
  const kept = Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const next = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? pruned(inner) : inner;
    return next === undefined ? [] : [[key, next]];
  });
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as object);
}
