import { SeverityNumber } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { RELEASE } from '../release.ts';
import { flagAttributes } from '../telemetry/flag-attributes.ts';
import type { Exposure, ExposureSink, OnDrop } from './exposure.ts';

/** Events that wait while the receiver is busy; one more is dropped. */
const MAX_WAITING = 20_000;

/** Events that go to the receiver in one call. */
const EVENTS_A_CALL = 512;

export interface OtlpEventsOptions {
  /** Where logs go, as `http://collector:4318/v1/logs`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How long a call may take, its retries included, in milliseconds. */
  readonly timeoutMs: number;
  /** What the process is called. */
  readonly serviceName: string;
}

/**
 * Sends exposures to an OpenTelemetry receiver, as events `feature_flag.evaluation` over OTLP/HTTP (protobuf).
 */
export class OtlpEvents implements ExposureSink {
  readonly name = 'otlp';
  readonly #exporter: OTLPLogExporter;
  readonly #toRecord: (exposure: Exposure) => ReadableLogRecord;
  readonly #onDrop: OnDrop;
  #waiting: Exposure[] = [];
  #sending: Promise<void> | undefined;

  constructor({ url, headers, timeoutMs, serviceName }: OtlpEventsOptions, onDrop: OnDrop) {
    this.#exporter = new OTLPLogExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs });
    this.#toRecord = recordsOf(serviceName);
    this.#onDrop = onDrop;
  }

  accept(exposures: readonly Exposure[]): void {
    const room = Math.max(0, MAX_WAITING - this.#waiting.length);
    if (exposures.length > room)
      this.#onDrop(this.name, exposures.length - room, 'events came faster than they are received');
    for (const exposure of exposures.slice(0, room)) this.#waiting.push(exposure);
    if (this.#waiting.length > 0) this.#sending ??= this.#send();
  }

  async flush(): Promise<void> {
    await this.#sending;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#exporter.shutdown();
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const part = this.#waiting.splice(0, EVENTS_A_CALL);
      const fault = await this.#export(part.map(this.#toRecord));
      if (fault !== undefined) this.#onDrop(this.name, part.length, fault);
    }
    this.#sending = undefined;
  }

  /** @returns why the receiver didn't take them */
  #export(records: ReadableLogRecord[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#exporter.export(records, ({ error, code }) => {
        // 0 is success, by the packages' own enumeration.
        resolve((code as number) === 0 ? undefined : (error?.message ?? 'the receiver refused them'));
      });
    });
  }
}

function recordsOf(serviceName: string): (exposure: Exposure) => ReadableLogRecord {
  const resource = resourceFromAttributes({ 'service.name': serviceName, 'service.version': RELEASE });
  const instrumentationScope = { name: 'signalbox', version: RELEASE };
  return (exposure) => {
    const time = hrTime(exposure.atMs);
    return {
      hrTime: time,
      hrTimeObserved: time,
      eventName: 'feature_flag.evaluation',
      severityNumber: SeverityNumber.INFO,
      resource,
      instrumentationScope,
      attributes: attributesOf(exposure),
      droppedAttributesCount: 0,
    };
  };
}

/** OpenTelemetry's names where it has them, and the gateway's own under `signalbox`. The unit is told by its hash, never by its name. */
function attributesOf(exposure: Exposure): ReadableLogRecord['attributes'] {
  const { choice, unit, version, outcome, batchId, batchRows, queueMs, computeMs } = exposure;
  return {
    ...flagAttributes(choice),
    'feature_flag.result.value': choice.variant.name,
    ...(unit !== undefined && { 'feature_flag.context.id': unit.split.toString(16).padStart(8, '0') }),
    'signalbox.prediction_id': exposure.predictionId,
    'signalbox.model.name': version.about.model,
    'signalbox.model.version': String(version.about.version),
    'signalbox.outcome': outcome,
    'signalbox.duration': exposure.totalMs / 1000,
    ...(queueMs !== undefined && { 'signalbox.queue.duration': queueMs / 1000 }),
    ...(computeMs !== undefined && { 'signalbox.compute.duration': computeMs / 1000 }),
    ...(batchId !== undefined && { 'signalbox.batch.id': batchId }),
    ...(batchRows !== undefined && { 'signalbox.batch.rows': batchRows }),
  };
}

/** Seconds and nanoseconds since 1970. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
