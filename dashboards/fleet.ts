import type { DashboardDefinition } from './dashboard.ts';
import { INSTANCE } from './dashboard.ts';
import { stat, timeSeries } from './panels.ts';
import { COUNTED, FAILED, quantile, ratePer, share } from './promql.ts';

const HERE = 'instance=~"$instance"';
const REQUESTS = 'signalbox_requests_total';

/** The replicas, one beside the other. */
export const FLEET_DASHBOARD: DashboardDefinition = {
  key: 'fleet',
  title: 'Fleet',
  description: 'All replicas: which are up, how they share the load, and whether they agree.',
  variables: [INSTANCE],
  rows: [
    {
      title: 'Replicas',
      panels: [
        stat({
          title: 'Replicas up',
          description:
            'Gateways that answered the last scrape. Prometheus must scrape them as job signalbox.',
          unit: 'short',
          queries: [{ expr: `sum(up{job="signalbox", ${HERE}})`, legend: 'up' }],
        }),
        stat({
          title: 'Alerts firing',
          description: "Of this project's rules.",
          unit: 'short',
          thresholds: [
            { from: null, color: 'green' },
            { from: 1, color: 'red' },
          ],
          queries: [
            {
              expr: 'count(ALERTS{alertname=~"Signalbox.+", alertstate="firing"}) or vector(0)',
              legend: 'firing',
            },
          ],
        }),
        timeSeries({
          title: 'Requests by replica',
          description: 'One that stands out has a balancer problem, or callers that keep their connections.',
          unit: 'reqps',
          stacked: true,
          queries: [{ expr: ratePer('instance', REQUESTS, HERE), legend: '{{instance}}' }],
        }),
        timeSeries({
          title: 'Failed share by replica',
          description: 'Errors, timeouts and shed requests among those the gateway answers for.',
          unit: 'percentunit',
          queries: [
            {
              expr: share('instance', REQUESTS, `${HERE}, ${FAILED}`, `${HERE}, ${COUNTED}`),
              legend: '{{instance}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Load',
      panels: [
        timeSeries({
          title: 'Latency by replica',
          description: 'The 99th percentile of the total time.',
          unit: 's',
          queries: [
            {
              expr: quantile(0.99, 'instance', 'signalbox_request_duration_seconds', HERE),
              legend: '{{instance}}',
            },
          ],
        }),
        timeSeries({
          title: 'Queue depth by replica',
          description: 'Requests that wait, over all versions.',
          unit: 'short',
          queries: [{ expr: `sum by (instance) (signalbox_queue_depth{${HERE}})`, legend: '{{instance}}' }],
        }),
        timeSeries({
          title: 'Ready instances by replica',
          description: 'Workers that can run a batch, over all versions.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (instance) (signalbox_instances{${HERE}, state="ready"})`,
              legend: '{{instance}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Agreement',
      panels: [
        timeSeries({
          title: 'Weights apart',
          description:
            'The difference between the highest and the lowest weight that replicas have in force for a variant. Above 0 for longer than a second, a replica has missed a change.',
          unit: 'percentunit',
          columns: 24,
          queries: [
            {
              expr: `max by (experiment, variant) (signalbox_experiment_weight{${HERE}}) - min by (experiment, variant) (signalbox_experiment_weight{${HERE}})`,
              legend: '{{experiment}} {{variant}}',
            },
          ],
        }),
      ],
    },
  ],
};
