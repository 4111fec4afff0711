import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '../gateway/running-gateway.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { findServer } from './debian-server.ts';
import type { FoundServer } from './debian-server.ts';
import { freePort } from './free-port.ts';

export const findPrometheus = (): Promise<FoundServer> => findServer('prometheus', 'prometheus');
export const findPromtool = (): Promise<FoundServer> => findServer('promtool', 'prometheus');
export const findAmtool = (): Promise<FoundServer> => findServer('amtool', 'prometheus-alertmanager');

/** A series of an answer: its labels and its values, oldest first. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

/** A real Prometheus of a test's own. */
export interface RunningPrometheus extends AsyncDisposable {
  readonly url: string;
  /** The value of each series now. @throws Error with Prometheus' own words where the query is wrong */
  query(expr: string): Promise<readonly Series[]>;
  /** Values over the last `seconds`, one a second. */
  queryRange(expr: string, seconds: number): Promise<readonly Series[]>;
  /** The values that a label has in the series that match. */
  labelValues(label: string, match: string): Promise<readonly string[]>;
}

export interface PrometheusOptions {
  /** `host:port` of gateways that it scrapes, five times a second, as the job `signalbox`. */
  readonly targets: readonly string[];
  /** Absolute paths. */
  readonly ruleFiles: readonly string[];
  /** Of its features those that are off by default, as `exemplar-storage`. */
  readonly features?: readonly string[];
}

export async function startPrometheus(
  program: string,
  { targets, ruleFiles, features = [] }: PrometheusOptions,
): Promise<RunningPrometheus> {
  const config = {
    global: { scrape_interval: '200ms', scrape_timeout: '200ms', evaluation_interval: '500ms' },
    rule_files: ruleFiles,
    scrape_configs: [{ job_name: 'signalbox', static_configs: [{ targets }] }],
  };
  const folder = await temporaryFolder({ 'prometheus.yaml': JSON.stringify(config) });
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    program,
    [
      `--config.file=${join(folder.path, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder.path, 'data')}`,
      `--web.listen-address=${address}`,
      ...features.map((feature) => `--enable-feature=${feature}`),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const url = `http://${address}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await folder[Symbol.asyncDispose]();
  };
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`prometheus ended before it was ready:\n${said}`);
    return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true;
  });
  const ask = async (path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success')
      throw new Error(`${answer.error ?? 'no reason'} in ${parameters.query ?? path}`);
    return answer.data;
  };
  return {
    url,
    query: async (expr) => seriesOf(await ask('query', { query: expr })),
    queryRange: async (expr, seconds) => {
      const now = Date.now() / 1000;
      const range = { start: String(now - seconds), end: String(now), step: '1' };
      return seriesOf(await ask('query_range', { query: expr, ...range }));
    },
    labelValues: async (label, match) =>
      (await ask(`label/${label}/values`, { 'match[]': match })) as readonly string[],
    [Symbol.asyncDispose]: stop,
  };
}

function seriesOf(data: unknown): readonly Series[] {
  const { resultType, result } = data as
    | { resultType: 'scalar'; result: Sample }
    | { resultType: 'vector'; result: readonly { metric: Series['metric']; value: Sample }[] }
    | { resultType: 'matrix'; result: readonly { metric: Series['metric']; values: readonly Sample[] }[] };
  switch (resultType) {
    case 'scalar':
      return [{ metric: {}, values: [Number(result[1])] }];
    case 'vector':
      return result.map(({ metric, value }) => ({ metric, values: [Number(value[1])] }));
    case 'matrix':
      return result.map(({ metric, values }) => ({
        metric,
        values: values.map(([, value]) => Number(value)),
      }));
  }
}

/** A time in seconds and a value, as Prometheus writes them. */
type Sample = readonly [number, string];
