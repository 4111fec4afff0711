import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishedDashboards } from '../../dashboards/published.ts';
import { signalbox } from '../e2e/cli.ts';
import type { Running } from '../e2e/cli.ts';
import { DEMO_FOLDER, eventually, experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { findPrometheus, startPrometheus } from '../servers/prometheus.ts';
import type { RunningPrometheus } from '../servers/prometheus.ts';
import { addingModel } from '../models/small-models.ts';
import { HARDWARE_METRICS, metricsOf } from './asked-metrics.ts';

const RULES = fileURLToPath(new URL('../../dashboards/prometheus/rules.yaml', import.meta.url));

/** What the committed JSON has that this test looks at. */
interface DashboardJson {
  readonly title: string;
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly targets?: readonly {
      readonly refId: string;
      readonly expr: string;
      readonly legendFormat: string;
      readonly instant?: true;
    }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list?: readonly { readonly name: string; readonly expr: string }[] };
}

const dashboards = await Promise.all(
  publishedDashboards().map(
    async ({ file }) =>
      JSON.parse(
        await readFile(new URL(`../../dashboards/grafana/${file}`, import.meta.url), 'utf8'),
      ) as DashboardJson,
  ),
);

const queries = dashboards.flatMap(({ title: dashboard, panels }) =>
  panels.flatMap(({ title: panel, targets = [] }) =>
    targets.map((target) => ({ dashboard, panel, ...target })),
  ),
);
/** To a model that keeps its answers. */
const KEPT_REQUEST = JSON.stringify({
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
});

const asksForHardware = ({ expr }: { readonly expr: string }): boolean =>
  metricsOf(expr).some((name) => HARDWARE_METRICS.includes(name));

const METRICS = [{ name: 'correct', kind: 'proportion', role: 'goal' }];
const MIRROR = { variant: 'v2' };
/** A rollout that waits for a person, on the model that keeps its answers. */
const ROLLED_OUT = experimentFile({
  key: 'kept',
  model: 'kept',
  variants: [
    { name: 'v1', version: 1, weight: 100 },
    { name: 'v2', version: 2, weight: 0 },
  ],
  rollout: { variant: 'v2', steps: [{ pause: {} }, { setWeight: 20 }] },
});

/** A variant that lives on another server: the gateway itself, which is one that speaks the same. */
const elsewhere = (url: string): string =>
  experimentFile({
    key: 'elsewhere',
    model: 'away',
    control: 'there',
    variants: [{ name: 'there', weight: 1, upstream: { url, model: 'kept' } }],
  });
const BETWEEN_USERS_MS = 20;
const SCAN = await readFile(`${DEMO_FOLDER}/images/0001.png`);

const found = await findPrometheus();

describe.skipIf(found.kind === 'missing')(
  `a real Prometheus that scrapes a gateway under demo traffic (${found.kind === 'missing' ? found.reason : found.program})`,
  () => {
    let gateway: RunningGateway;
    let prometheus: RunningPrometheus;
    let traffic: Running;
    let outcomes: Promise<void>;
    const ended = new AbortController();

    beforeAll(async () => {
      const files = {
        'experiments/digits-cnn.yaml': experimentFile({ metrics: METRICS, mirror: MIRROR }),
        'models/kept/1/model.onnx': addingModel(1),
        'models/kept/2/model.onnx': addingModel(1),
        'experiments/kept.yaml': ROLLED_OUT,
        'models/kept/config.yaml': 'response_cache: { enable: true }',
      };
      const repositories = JSON.stringify([`${DEMO_FOLDER}/models`, './models']);
      const config = `models: { repository: ${repositories}, defaultModel: digits }`;
      gateway = await startGateway({ config, files });
      prometheus = await startPrometheus(found.kind === 'found' ? found.program : '', {
        targets: [gateway.server.bound.metrics ?? ''],
        ruleFiles: [RULES],
      });
      const url = gateway.url('');
      await gateway.folder.write({ 'experiments/elsewhere.yaml': elsewhere(url) });
      const endless = ['--requests', '900000000', '--concurrency', '2', '--rate', '40'];
      traffic = signalbox('demo', 'traffic', '--url', url, ...endless);
      outcomes = sendOutcomes();
      await expectValue(
        'min(signalbox_experiment_weight{experiment="digits-cnn",variant="v2"} == bool 0.1)',
        1,
      );
      const variants = [
        { name: 'v1', version: 1, weight: 70 },
        { name: 'v2', version: 2, weight: 30 },
      ];
      await gateway.folder.write({
        'experiments/digits-cnn.yaml': experimentFile({ metrics: METRICS, mirror: MIRROR, variants }),
      });
      await expectValue(
        'min(signalbox_experiment_weight{experiment="digits-cnn",variant="v2"} == bool 0.3)',
        1,
      );
      await expectValue(
        'min(count_over_time(signalbox_requests_total{experiment="digits-cnn",variant="v2"}[10s])) > bool 5',
        1,
      );
      await expectValue('min(count_over_time(signalbox_upstream_tries_total[10s])) > bool 5', 1);
      await expectValue('count(signalbox:error_ratio:rate30d >= 0)', 1);
      // Intervals are there once enough users told what came of it.
      await expectValue(
        'count(signalbox_metric_lift{metric="correct",variant="v2",bound="low"}) >= bool 1',
        1,
      );
      await expectValue('min(count_over_time(signalbox_outcomes_total[10s])) > bool 5', 1);
      const agreed = 'signalbox_mirror_requests_total{result="agree"}';
      await expectValue(`min(count_over_time(${agreed}[10s])) > bool 5`, 1);
      // A minute for what Prometheus has to see of it, and ten on a machine that is busy.
    }, 600_000);

    afterAll(async () => {
      ended.abort();
      await outcomes;
      await traffic[Symbol.asyncDispose]();
      await prometheus[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    });

    /** User after user asks for a scan and tells what came of it; no faster than they are wanted, as other tests want the processor. */
    async function sendOutcomes(): Promise<void> {
      for (let user = 0; !ended.signal.aborted; user++) {
        await pause(BETWEEN_USERS_MS);
        const answer = await fetch(gateway.url('/predict/digits'), {
          method: 'POST',
          headers: { 'x-user-id': `teller-${user}`, 'content-type': 'image/png' },
          body: SCAN,
        });
        await answer.arrayBuffer();
        const id = answer.headers.get('x-prediction-id');
        const outcome = { prediction_id: id, metric: 'correct', value: 1 };
        const told = await fetch(gateway.url('/v1/outcomes'), {
          method: 'POST',
          body: JSON.stringify(outcome),
        });
        await told.arrayBuffer();
        const kept = await fetch(gateway.url('/v2/models/kept/infer'), {
          method: 'POST',
          body: KEPT_REQUEST,
        });
        await kept.arrayBuffer();
        const away = await fetch(gateway.url('/v2/models/away/infer'), {
          method: 'POST',
          body: KEPT_REQUEST,
        });
        await away.arrayBuffer();
      }
    }

    async function expectValue(expr: string, value: number): Promise<void> {
      await eventually(async () => (await prometheus.query(expr))[0]?.values[0] === value);
    }

    /** A query as Grafana would send it, once for each experiment, with every other variable replaced by all values that it has. */
    async function filledIn(expr: string, dashboard: string): Promise<readonly string[]> {
      const variables = dashboards.find(({ title }) => title === dashboard)?.templating.list ?? [];
      let filled = [expr.replaceAll('$__rate_interval', '5s')];
      for (const { name, definition } of variables) {
        if (definition === undefined) continue;
        const values = await valuesOf(definition);
        const choices = name === 'experiment' ? values : [values.join('|')];
        filled = choices.flatMap((choice) => filled.map((text) => text.replaceAll(`$${name}`, choice)));
      }
      const distinct = [...new Set(filled)];
      for (const text of distinct) expect(text).not.toContain('$');
      return distinct;
    }

    /** What a query's panel shows, whichever experiment is looked at. */
    async function seriesOf(
      expr: string,
      dashboard: string,
      ask: (filled: string) => ReturnType<RunningPrometheus['query']>,
    ): ReturnType<RunningPrometheus['query']> {
      const all = await Promise.all((await filledIn(expr, dashboard)).map(ask));
      return all.flat();
    }

    async function valuesOf(definition: string): Promise<readonly string[]> {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
      return prometheus.labelValues(label ?? expect.fail(definition), metric ?? expect.fail(definition));
    }

    test.each(dashboards.flatMap(({ title, templating }) => templating.list.map((v) => ({ title, ...v }))))(
      '$title: the variable $name has values',
      async ({ definition }) => {
        if (definition !== undefined) expect(await valuesOf(definition)).not.toEqual([]);
      },
    );

    test.each(queries.filter((query) => !asksForHardware(query)))(
      '$dashboard: $panel, query $refId has data',
      async ({ dashboard, expr, legendFormat, instant }) => {
        let series: Awaited<ReturnType<RunningPrometheus['query']>> = [];
        // On a busy machine a scrape fails now and then, and all that it brings has no value until the next.
        await expect
          .poll(
            async () => {
              series = await seriesOf(expr, dashboard, (filled) =>
                instant === true ? prometheus.query(filled) : prometheus.queryRange(filled, 3),
              );
              return series.flatMap(({ values }) => values).filter((value) => Number.isFinite(value));
            },
            { message: expr },
          )
          .not.toEqual([]);
        // What never happened is 0 over everything, without labels of its own.
        if (expr.includes(' or 0 * sum(')) return;
        const labels = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label);
        for (const { metric } of series) expect(Object.keys(metric)).toEqual(expect.arrayContaining(labels));
      },
    );

    test.each(queries.filter(asksForHardware))(
      '$dashboard: $panel, query $refId is at least understood',
      async ({ dashboard, expr }) => {
        await seriesOf(expr, dashboard, (filled) => prometheus.query(filled));
      },
    );

    test.each(
      dashboards.flatMap(({ title, annotations }) => (annotations.list ?? []).map((a) => ({ title, ...a }))),
    )('$title: $name marks a change of weights', async ({ title, expr }) => {
      // A mark stands where the change was, which on a busy machine is minutes ago.
      const series = await seriesOf(expr, title, (filled) => prometheus.queryRange(filled, 600));
      expect(series.map(({ metric }) => metric.variant).toSorted()).toEqual(['v1', 'v2']);
    });

    test('the rules all work, and none fires', async () => {
      const answer = (await (await fetch(`${prometheus.url}/api/v1/rules`)).json()) as {
        data: { groups: { rules: { name: string; health: string; state?: string; lastError?: string }[] }[] };
      };
      const rules = answer.data.groups.flatMap(({ rules }) => rules);
      expect(rules.filter(({ health }) => health === 'err')).toEqual([]);
      expect(rules.filter(({ state }) => state === 'firing')).toEqual([]);
    });
  },
);
