/** The exposition as a real Prometheus reads it. */
import { describe, expect, test } from 'vitest';
import { identityModel } from '../../../models/onnx-graph.ts';
import { findPrometheus, startPrometheus } from '../../../servers/prometheus.ts';
import { eventually, experimentFile, startGateway } from '../../running-gateway.ts';
import type { RunningGateway } from '../../running-gateway.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }],
});

function startTraced(): Promise<RunningGateway> {
  return startGateway({
    // Nobody takes the spans: they are written all the same.
    config: 'telemetry: { otlp: { endpoint: "http://127.0.0.1:9" }, sampleRatio: 0, tritonMetrics: true }',
    files: {
      'models/digits/1/model.onnx': identityModel(),
      'models/digits/2/model.onnx': identityModel(),
      'experiments/a.yaml': experimentFile(),
    },
  });
}

async function infer(gateway: RunningGateway, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const answer = await fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', headers, body: BODY });
  expect(answer.status).toBe(200);
}

async function scrape(gateway: RunningGateway, accept: string): Promise<Response> {
  return fetch(`http://${gateway.server.bound.metrics ?? ''}/metrics`, { headers: { accept } });
}

test('who asks for OpenMetrics gets it, with the traces of requests whose spans were written, and of no others', async () => {
  await using gateway = await startTraced();
  await infer(gateway);
  expect(await (await scrape(gateway, 'application/openmetrics-text')).text()).not.toContain('trace_id');
  await infer(gateway, { traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
  const answer = await scrape(gateway, 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
  expect(answer.headers.get('content-type')).toBe(
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  );
  expect(answer.headers.get('vary')).toBe('accept');
  const text = await answer.text();
  expect(text.endsWith('# EOF\n')).toBe(true);
  expect(text).toContain('# TYPE signalbox_requests counter\n');
  for (const metric of ['request', 'queue', 'compute'])
    expect(text).toMatch(
      new RegExp(`^signalbox_${metric}_duration_seconds_bucket.* # {trace_id="${TRACE}"}`, 'm'),
    );
  const plain = await scrape(gateway, '*/*');
  expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await plain.text()).not.toMatch(/trace_id|# EOF/);
});

const found = await findPrometheus();

describe.skipIf(found.kind === 'missing')(
  `a real Prometheus (${found.kind === 'missing' ? found.reason : found.program})`,
  () => {
    test('finds the trace of a slow request from its histogram, and reads every series of both formats', async () => {
      await using gateway = await startTraced();
      await infer(gateway, { traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
      await using prometheus = await startPrometheus(found.kind === 'found' ? found.program : '', {
        targets: [gateway.server.bound.metrics ?? ''],
        ruleFiles: [],
        features: ['exemplar-storage'],
      });
      const traces = async (): Promise<readonly (string | undefined)[]> => {
        const now = Date.now() / 1000;
        const query = new URLSearchParams({
          query: 'signalbox_request_duration_seconds_bucket',
          start: String(now - 600),
          end: String(now + 60),
        });
        const answer = await fetch(`${prometheus.url}/api/v1/query_exemplars?${query.toString()}`);
        const { data } = (await answer.json()) as {
          data: { exemplars: { labels: { trace_id?: string } }[] }[];
        };
        return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id));
      };
      await eventually(async () => (await traces()).includes(TRACE));
      const stored = async (): Promise<ReadonlySet<string>> =>
        new Set(await prometheus.labelValues('__name__', '{job="signalbox"}'));
      const names = [...(await gateway.metrics()).matchAll(/^([a-z]\w+)(?:\{.*\})? \S+$/gm)].map(
        ([, name = '']) => name,
      );
      expect(names.length).toBeGreaterThan(100);
      await eventually(async () => {
        const known = await stored();
        return names.every((name) => known.has(name));
      });
    });
  },
);
