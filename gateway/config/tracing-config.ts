import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';

/** Where OpenTelemetry's data goes, over HTTP. */
export interface OtlpConfig {
  /** Ends with a slash; signals have their paths under it. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

export interface TracingConfig {
  readonly otlp: OtlpConfig;
  /** Of the requests whose callers don't say, and that go well, those that are traced, 0 to 1. */
  readonly sampleRatio: number;
}

/** Enough to see what is usual; what fails is traced anyway. */
const DEFAULT_SAMPLE_RATIO = 0.01;

/** @param name what the process is called, where nobody says otherwise */
export function readTracing(
  { otlp, sampleRatio }: NonNullable<ConfigText['telemetry']>,
  name: string,
  refuse: Refuse,
): TracingConfig | undefined {
  if (otlp === undefined) {
    if (sampleRatio !== undefined)
      refuse(['telemetry', 'sampleRatio'], 'goes with telemetry.otlp, which says where traces are sent', [
        'telemetry',
        'otlp',
      ]);
    return undefined;
  }
  if (!URL.canParse(otlp.endpoint))
    refuse(['telemetry', 'otlp', 'endpoint'], 'is no URL; expected one as http://127.0.0.1:4318');
  const { headers = {}, serviceName = name } = otlp;
  const endpoint = otlp.endpoint.endsWith('/') ? otlp.endpoint : `${otlp.endpoint}/`;
  return { otlp: { endpoint, headers, serviceName }, sampleRatio: sampleRatio ?? DEFAULT_SAMPLE_RATIO };
}
