import type { DashboardDefinition } from './dashboard.ts';
import { EXPERIMENT, INSTANCE } from './dashboard.ts';
import { stat, timeSeries } from './panels.ts';
import type { Query } from './panels.ts';
import { COUNTED, FAILED, quantile, ratePer, share } from './promql.ts';
import { rolloutMapping } from './rollout-states.ts';

const HERE = 'experiment="$experiment", instance=~"$instance"';
const REQUESTS = 'signalbox_requests_total';
const ENROLLED = `${HERE}, reason=~"split|sticky"`;

/** What an experiment does, one variant beside the other. */
export const EXPERIMENT_DASHBOARD: DashboardDefinition = {
  key: 'experiment',
  title: 'Experiment',
  description: 'One experiment: its split against the plan, and what each variant did with its traffic.',
  variables: [EXPERIMENT, INSTANCE],
  marks: [
    {
      name: 'Rollout steps',
      expr: `max by (variant) (changes(signalbox_experiment_weight{${HERE}}[1m])) > 0`,
      title: 'The weight of {{variant}} changed',
    },
  ],
  rows: [
    {
      title: 'Split',
      panels: [
        timeSeries({
          title: 'Split against plan',
          description:
            'Share of the split requests that each variant got; dashed, the weight in force. Requests are not units: a few busy units can hold the lines apart. The sample ratio beside it counts units.',
          unit: 'percentunit',
          queries: [
            {
              expr: `${ratePer('variant', REQUESTS, ENROLLED)} / scalar(${ratePer('', REQUESTS, ENROLLED)} > 0)`,
              legend: '{{variant}}',
            },
            {
              expr: `max by (variant) (signalbox_experiment_weight{${HERE}})`,
              legend: '{{variant}} planned',
              dashed: true,
            },
          ],
        }),
        timeSeries({
          title: 'Requests by variant',
          description: 'Everything that reached a variant, overrides and defaults too.',
          unit: 'reqps',
          stacked: true,
          queries: [{ expr: ratePer('variant', REQUESTS, HERE), legend: '{{variant}}' }],
        }),
        timeSeries({
          title: 'Requests by reason',
          description: 'Why a request got its variant. Only split and sticky count in the results.',
          unit: 'reqps',
          stacked: true,
          queries: [{ expr: ratePer('reason', REQUESTS, HERE), legend: '{{reason}}' }],
        }),
        stat({
          title: 'Sample ratio',
          description:
            'The always-valid p-value of the split that units got, against the weights in force. Below 0.001 the results must not be read.',
          unit: 'short',
          thresholds: [
            { from: null, color: 'red' },
            { from: 0.001, color: 'orange' },
            { from: 0.01, color: 'green' },
          ],
          queries: [{ expr: `min(signalbox_srm_p_value{${HERE}})`, legend: 'p' }],
        }),
        stat({
          title: 'Rollout',
          description: 'Where the rollout stands.',
          unit: 'short',
          mappings: [rolloutMapping()],
          queries: [{ expr: `min(signalbox_rollout_state{${HERE}})`, legend: 'state' }],
        }),
        timeSeries({
          title: 'Exposures by variant',
          description: 'Requests that count in the results.',
          unit: 'cps',
          columns: 16,
          queries: [{ expr: ratePer('variant', 'signalbox_exposures_total', HERE), legend: '{{variant}}' }],
        }),
      ],
    },
    {
      title: 'Errors',
      panels: [
        timeSeries({
          title: 'Failed share by variant',
          description: 'Errors, timeouts and shed requests among those the gateway answers for.',
          unit: 'percentunit',
          columns: 12,
          queries: [
            {
              expr: share('variant', REQUESTS, `${HERE}, ${FAILED}`, `${HERE}, ${COUNTED}`),
              legend: '{{variant}}',
            },
          ],
        }),
        timeSeries({
          title: 'Requests by variant and outcome',
          description: 'How requests ended.',
          unit: 'reqps',
          columns: 12,
          queries: [{ expr: ratePer('variant, outcome', REQUESTS, HERE), legend: '{{variant}} {{outcome}}' }],
        }),
      ],
    },
    {
      title: 'Latency',
      panels: [
        timeSeries({
          title: 'Compute',
          description: "A batch's time in the model: the figure to compare variants by.",
          unit: 's',
          queries: quantiles('signalbox_compute_duration_seconds'),
        }),
        timeSeries({
          title: 'Queue',
          description:
            'The wait for a batch to start. A variant with a small share fills its batches more slowly, for no fault of its model.',
          unit: 's',
          queries: quantiles('signalbox_queue_duration_seconds'),
        }),
        timeSeries({
          title: 'Total',
          description: 'From the arrival of a request to its encoded answer.',
          unit: 's',
          queries: quantiles('signalbox_request_duration_seconds'),
        }),
      ],
    },
    {
      title: 'Outcomes',
      panels: [
        timeSeries({
          title: 'Outcomes by metric',
          description: 'Outcomes that were accepted.',
          unit: 'cps',
          queries: [
            {
              expr: ratePer('metric, variant', 'signalbox_outcomes_total', HERE),
              legend: '{{metric}} {{variant}}',
            },
          ],
        }),
        timeSeries({
          title: 'Estimates',
          description:
            "Each metric's value by variant, on the metric's own scale. Every replica tells the same figure.",
          unit: 'short',
          queries: [
            {
              expr: `max by (metric, variant) (signalbox_metric_estimate{${HERE}})`,
              legend: '{{metric}} {{variant}}',
            },
          ],
        }),
        timeSeries({
          title: 'Lift with its interval',
          description:
            "Each variant's lift over control, and the ends of its always-valid interval (dashed): they may be looked at as often as one likes, and the difference is real once they leave out 0.",
          unit: 'percentunit',
          signed: true,
          queries: [
            { expr: bound('estimate'), legend: '{{metric}} {{variant}}' },
            { expr: bound('low'), legend: '{{metric}} {{variant}} low', dashed: true },
            { expr: bound('high'), legend: '{{metric}} {{variant}} high', dashed: true },
          ],
        }),
        timeSeries({
          title: 'Mirror agreement',
          description: 'Share of the mirrored requests whose answer agreed with the one that the caller got.',
          unit: 'percentunit',
          columns: 24,
          queries: [
            {
              expr: share(
                'variant',
                'signalbox_mirror_requests_total',
                `${HERE}, result="agree"`,
                `${HERE}, result=~"agree|disagree"`,
              ),
              legend: '{{variant}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Variants on other servers',
      panels: [
        timeSeries({
          title: 'Tries by result',
          description: "Requests to variants' own servers, retries too, by what came of them.",
          unit: 'reqps',
          stacked: true,
          queries: [
            {
              expr: ratePer('variant, result', 'signalbox_upstream_tries_total', HERE),
              legend: '{{variant}} {{result}}',
            },
          ],
        }),
        timeSeries({
          title: 'Retried share',
          description: 'Tries that were a second one. At most a fifth of the requests are sent again.',
          unit: 'percentunit',
          queries: [
            {
              expr: `(${ratePer('variant', 'signalbox_upstream_retries_total', HERE)} or 0 * ${ratePer('variant', 'signalbox_upstream_tries_total', HERE)}) / (${ratePer('variant', 'signalbox_upstream_tries_total', HERE)} > 0)`,
              legend: '{{variant}}',
            },
          ],
        }),
        timeSeries({
          title: 'Ready',
          description:
            "Replicas for which a variant's own server said at the last check that it can answer, as a share.",
          unit: 'percentunit',
          queries: [{ expr: `avg by (variant) (signalbox_upstream_ready{${HERE}})`, legend: '{{variant}}' }],
        }),
      ],
    },
  ],
};

function quantiles(metric: string): readonly Query[] {
  return [0.5, 0.99].map((q) => ({
    expr: quantile(q, 'variant', metric, HERE),
    legend: `{{variant}} p${q * 100}`,
  }));
}

function bound(name: 'estimate' | 'low' | 'high'): string {
  return `max by (metric, variant) (signalbox_metric_lift{${HERE}, bound="${name}"})`;
}
