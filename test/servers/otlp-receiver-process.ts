/** A receiver of OTLP traces over HTTP, in a process of its own: tells its parent its port, and then every span. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { FromReceiver, ReceivedSpan } from './otlp-receiver.ts';

const Export = protobuf
  .loadSync(fileURLToPath(new URL('otlp-trace.proto', import.meta.url)))
  .lookupType('otlp.Export');

interface KeyValue {
  readonly key: string;
  readonly value?: Readonly<Record<string, unknown>>;
}

interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code: number; readonly message: string };
}

interface WireExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

const tell = (message: FromReceiver): void => {
  process.send?.(message);
};

const server = createServer((request, reply) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const isTraces = request.method === 'POST' && request.url === '/v1/traces';
    if (!isTraces || request.headers['content-type'] !== 'application/x-protobuf') {
      reply.writeHead(400).end();
      return;
    }
    const options = { bytes: String, longs: String, defaults: true, arrays: true };
    const read = Export.toObject(Export.decode(Buffer.concat(chunks)), options) as WireExport;
    for (const { resource, scopeSpans } of read.resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        tell({
          kind: 'span',
          span: received(span, attributesOf(resource.attributes)),
          key: request.headers['x-key'],
        });
      }
    }
    reply.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
}).listen(0, '127.0.0.1');
await once(server, 'listening');
tell({ kind: 'listening', port: (server.address() as AddressInfo).port });
process.once('disconnect', () => {
  process.exit();
});

function received(span: WireSpan, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentId: hex(span.parentSpanId),
    name: span.name,
    kind: span.kind,
    startMs: Number(span.startTimeUnixNano) / 1e6,
    endMs: Number(span.endTimeUnixNano) / 1e6,
    attributes: attributesOf(span.attributes),
    links: span.links.map(({ traceId, spanId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
    status: span.status?.code ?? 0,
    resource,
  };
}

function attributesOf(list: readonly KeyValue[]): ReceivedSpan['attributes'] {
  return Object.fromEntries(list.map(({ key, value = {} }) => [key, Object.values(value)[0]]));
}

function hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
