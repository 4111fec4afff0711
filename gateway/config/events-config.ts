import { millisecondsOf } from './duration.ts';
import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';
import { bytesOf } from './size.ts';
import type { OtlpConfig } from './tracing-config.ts';

/** Where exposures are written beside the state store. */
export type EventsConfig =
  | { readonly kind: 'file'; readonly path: string; readonly maxBytes: number; readonly maxFiles: number }
  | { readonly kind: 'redis'; readonly maxLength: number }
  | {
      readonly kind: 'otlp';
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
      /** What the process is called. */
      readonly serviceName: string;
    };

type EventsText = NonNullable<NonNullable<ConfigText['telemetry']>['events']>;

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

const SINK = ['telemetry', 'events', 'sink'];

/** What the rest of the file says that events depend on. */
export interface EventsSurroundings {
  /** Where traces go; undefined: nowhere. */
  readonly otlp: OtlpConfig | undefined;
  /** What the process is called. */
  readonly serverName: string;
  readonly isStateInRedis: boolean;
  readonly absolute: (path: string) => string;
}

export function readEvents(
  file: EventsText,
  { otlp, serverName, isStateInRedis, absolute }: EventsSurroundings,
  refuse: Refuse,
): EventsConfig {
  const sink = file.sink ?? 'file';
  for (const [key, owner] of Object.entries(SINK_KEYS)) {
    if (Object.hasOwn(file, key) && owner !== sink)
      refuse(['telemetry', 'events', key], `goes with sink: ${owner}, and the sink is ${sink}`, SINK);
  }
  switch (sink) {
    case 'otlp':
      return readOtlpEvents(file, otlp, serverName, refuse);
    case 'redis':
      if (!isStateInRedis)
        refuse(SINK, 'is redis, and the state is not; expected a state in Redis', ['state']);
      return { kind: 'redis', maxLength: file.maxLength ?? 1_000_000 };
    case 'file': {
      const maxBytes = bytesOf(file.maxSize ?? '64MiB');
      if (maxBytes < 1024) refuse(['telemetry', 'events', 'maxSize'], 'is below 1KiB, which holds no line');
      const path = absolute(file.file ?? 'exposures.jsonl');
      return { kind: 'file', path, maxBytes, maxFiles: file.maxFiles ?? 8 };
    }
  }
}

function readOtlpEvents(
  file: EventsText,
  shared: OtlpConfig | undefined,
  serverName: string,
  refuse: Refuse,
): EventsConfig {
  const url = file.endpoint ?? (shared && `${shared.endpoint}v1/logs`);
  if (file.endpoint !== undefined && !URL.canParse(file.endpoint))
    refuse(['telemetry', 'events', 'endpoint'], 'is no URL; expected one as http://collector:4318/v1/logs');
  if (url === undefined)
    refuse(
      ['telemetry', 'events'],
      "has no endpoint; expected the receiver's URL for logs, as http://collector:4318/v1/logs, or telemetry.otlp beside it",
      ['telemetry', 'otlp'],
    );
  return {
    kind: 'otlp',
    url: url ?? '',
    headers: file.headers ?? shared?.headers ?? {},
    timeoutMs: millisecondsOf(file.timeout ?? '10s'),
    serviceName: shared?.serviceName ?? serverName,
  };
}
