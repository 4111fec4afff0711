import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, readFile, rename } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KEPT_FOLDER } from '../kept-folder.ts';
import { eventually } from '../gateway/running-gateway.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { onPath } from './debian-server.ts';
import type { FoundServer } from './debian-server.ts';
import { freePort } from './free-port.ts';
import type { ReceivedSpan } from './otlp-receiver.ts';

const execute = promisify(execFile);

const SOURCE = fileURLToPath(new URL('otel-collector/', import.meta.url));

/**
 * The OpenTelemetry Collector, built by Go from its public modules the first time, which takes a minute or two, and kept for the next.
 *
 * @throws Error with the reason why it is missing when `CI` is `true`
 */
export async function findOtelCollector(): Promise<FoundServer> {
  const found = await findOrBuild();
  if (found.kind === 'missing' && process.env.CI === 'true') throw new Error(found.reason);
  return found;
}

async function findOrBuild(): Promise<FoundServer> {
  const sources = await Promise.all(['go.sum', 'main.go'].map((file) => readFile(join(SOURCE, file))));
  const digest = createHash('sha256').update(Buffer.concat(sources)).digest('hex');
  const program = join(KEPT_FOLDER, `otel-collector-${digest.slice(0, 16)}`);
  try {
    await access(program);
    return { kind: 'found', program };
  } catch {
    return build(program);
  }
}

async function build(program: string): Promise<FoundServer> {
  const go = await onPath('go', ['/usr/local/go/bin']);
  if (go === undefined)
    return { kind: 'missing', reason: 'the OpenTelemetry Collector is built by Go, which is not installed' };
  await mkdir(KEPT_FOLDER, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    await execute(go, ['build', '-trimpath', '-ldflags', '-s -w', '-o', unfinished, '.'], {
      cwd: SOURCE,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false', GOTOOLCHAIN: 'auto' },
      timeout: 600_000,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : String(error);
    return { kind: 'missing', reason: `the OpenTelemetry Collector could not be built: ${why}` };
  }
  await rename(unfinished, program);
  return { kind: 'found', program };
}

/** A collector of a test's own. */
export interface RunningCollector extends AsyncDisposable {
  /** Where it takes OTLP over HTTP. */
  readonly endpoint: string;
  /** All that it has sent on so far, as OTLP in JSON. */
  readonly spans: readonly ReceivedSpan[];
}

export async function startOtelCollector(program: string): Promise<RunningCollector> {
  const address = `127.0.0.1:${await freePort()}`;
  const spans: ReceivedSpan[] = [];
  const next = createServer((request, reply) => {
    void json(request).then((sent) => {
      spans.push(...spansOf(sent as Sent));
      reply.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(next, 'listening');
  const { port } = next.address() as AddressInfo;
  const folder = await temporaryFolder({
    'config.yaml': JSON.stringify({
      receivers: { otlp: { protocols: { http: { endpoint: address } } } },
      exporters: {
        otlp_http: {
          traces_endpoint: `http://127.0.0.1:${port}/v1/traces`,
          encoding: 'json',
          compression: 'none',
          sending_queue: { enabled: false },
        },
      },
      service: {
        pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
        telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
      },
    }),
  });
  const child = spawn(program, [`--config=file:${join(folder.path, 'config.yaml')}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`the collector ended before it was ready:\n${said}`);
    return (await fetch(`http://${address}/v1/traces`).catch(() => undefined)) !== undefined;
  });
  return {
    endpoint: `http://${address}`,
    spans,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      next.closeAllConnections();
      next.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** OTLP as JSON. Source: OpenTelemetry Protocol Specification, "JSON Protobuf Encoding". */
interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind?: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly KeyValue[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number };
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function spansOf({ resourceSpans }: Sent): readonly ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId ?? '',
        name: span.name,
        kind: span.kind ?? 0,
        startMs: Number(span.startTimeUnixNano) / 1e6,
        endMs: Number(span.endTimeUnixNano) / 1e6,
        attributes: attributesOf(span.attributes),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        status: span.status?.code ?? 0,
        resource: attributesOf(resource.attributes),
      })),
    ),
  );
}

function attributesOf(list: readonly KeyValue[] = []): ReceivedSpan['attributes'] {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}
