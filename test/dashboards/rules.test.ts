import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { publishedDashboards } from '../../dashboards/published.ts';
import { NO_GAUGES } from '../../gateway/telemetry/measures/gauges.ts';
import { Metrics } from '../../gateway/telemetry/metrics.ts';
import { findAmtool, findPromtool } from '../servers/prometheus.ts';
import { metricsOf } from './asked-metrics.ts';

const execute = promisify(execFile);
const ROOT = new URL('../../', import.meta.url);
const PROMETHEUS = fileURLToPath(new URL('dashboards/prometheus', ROOT));
const read = (file: string): Promise<string> => readFile(new URL(file, ROOT), 'utf8');

interface Rule {
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity: string };
  readonly annotations?: { readonly runbook_url: string };
}

const rulesText = await read('dashboards/prometheus/rules.yaml');
const rules = (parse(rulesText) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const alerts = rules.flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]));

/** SignalboxQueueAge has its page at docs/runbooks/queue-age.md. */
const pageOf = (alert: string): string =>
  `${alert
    .replace(/^Signalbox/, '')
    .replace(/(?<!^)[A-Z]/g, '-$&')
    .toLowerCase()}.md`;

const promtool = await findPromtool();
const amtool = await findAmtool();

describe.skipIf(promtool.kind === 'missing')(
  `promtool (${promtool.kind === 'missing' ? promtool.reason : promtool.program})`,
  () => {
    const run = async (...args: readonly string[]): Promise<string> => {
      const program = promtool.kind === 'found' ? promtool.program : '';
      return (await execute(program, args, { cwd: PROMETHEUS })).stdout;
    };

    test('finds the rules right', async () => {
      expect(await run('check', 'rules', 'rules.yaml')).toContain(`SUCCESS: ${rules.length} rules found`);
    });

    test('sees each alert fire where it should, and stay quiet where it should', async () => {
      await run('test', 'rules', 'rules.test.yaml');
    });

    test('finds the scrape configuration right', async () => {
      expect(await run('check', 'config', 'prometheus.yaml')).toContain('is valid prometheus config');
    });
  },
);

describe.skipIf(amtool.kind === 'missing')(
  `amtool (${amtool.kind === 'missing' ? amtool.reason : amtool.program})`,
  () => {
    const file = fileURLToPath(new URL('dashboards/alertmanager/alertmanager.yaml', ROOT));
    const run = async (...args: readonly string[]): Promise<string> =>
      (await execute(amtool.kind === 'found' ? amtool.program : '', args)).stdout;

    test('finds the example of Alertmanager right', async () => {
      expect(await run('check-config', file)).toContain('SUCCESS');
    });

    test.each(alerts)('sends $alert to its receivers', async ({ alert, labels }) => {
      const severity = labels?.severity ?? expect.fail('no severity');
      const receivers = await run(
        ...[
          'config',
          'routes',
          'test',
          `--config.file=${file}`,
          `alertname=${alert}`,
          `severity=${severity}`,
        ],
      );
      expect(receivers.trim()).toBe(severity === 'page' ? 'pagerduty,slack' : 'slack');
    });
  },
);

describe('an alert', () => {
  test.each(alerts)('$alert is tested firing and not firing', async ({ alert }) => {
    const { tests } = parse(await read('dashboards/prometheus/rules.test.yaml')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }[];
    };
    const cases = tests
      .flatMap((one) => one.alert_rule_test)
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => (exp_alerts.length > 0 ? 'fires' : 'quiet'));
    expect(new Set(cases)).toEqual(new Set(['quiet', 'fires']));
  });

  test.each(alerts)('$alert names its runbook, which tells what to do', async ({ alert, annotations }) => {
    const page = `docs/runbooks/${pageOf(alert)}`;
    expect(annotations?.runbook_url).toBe(page);
    const text = await read(page);
    expect(text.split('\n')[0]).toBe(`# ${alert}`);
    for (const heading of ['## What it means', '## What to look at', '## What to do']) {
      expect(text).toContain(`\n${heading}\n`);
    }
  });

  test('has a runbook, and no runbook is left over', async () => {
    const pages = (await readdir(new URL('docs/runbooks', ROOT))).filter((page) => page !== 'README.md');
    expect(pages.toSorted()).toEqual(alerts.map(({ alert }) => pageOf(alert)).toSorted());
  });
});

test('panels and rules ask only for metrics that the gateway exposes', async () => {
  const metrics = new Metrics(NO_GAUGES);
  const exposed = [...(await metrics.render()).matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name);
  const panels = publishedDashboards().flatMap(({ text }) =>
    [...text.matchAll(/"expr": "(.*)"/g)].map(([, expr = '']) => expr.replaceAll('\\"', '"')),
  );
  const asked = new Set([...rules.map(({ expr }) => expr), ...panels].flatMap(metricsOf));
  const known = [...exposed, 'up', 'ALERTS'];
  expect([...asked].filter((name) => !known.includes(name))).toEqual([]);
});
