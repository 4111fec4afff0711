import type { DashboardDefinition } from './dashboard.ts';
import { INSTANCE } from './dashboard.ts';
import { stat, timeSeries } from './panels.ts';
import { quantile, ratePer, rateOrZero, share } from './promql.ts';

const HERE = 'instance=~"$instance"';
const REQUESTS = 'signalbox_requests_total';
const ANY = `sum(signalbox_instances{${HERE}})`;

/** How well the gateway keeps its promise, and whom it turned away. */
export const GATEWAY_DASHBOARD: DashboardDefinition = {
  key: 'gateway',
  title: 'Gateway',
  description: 'The service level, keys and limits, shedding, and the process itself.',
  variables: [INSTANCE],
  rows: [
    {
      title: 'Service level',
      panels: [
        stat({
          title: 'Availability, 1 h',
          description: 'Share of the requests of the last hour that did not fail. The objective is 99.9 %.',
          unit: 'percentunit',
          thresholds: [
            { from: null, color: 'red' },
            { from: 0.999, color: 'green' },
          ],
          queries: [{ expr: '1 - signalbox:error_ratio:rate1h', legend: '{{job}}' }],
        }),
        stat({
          title: 'Budget left, 30 d',
          description: 'How much of the error budget of 30 days is left; below 0 the objective is missed.',
          unit: 'percentunit',
          thresholds: [
            { from: null, color: 'red' },
            { from: 0, color: 'orange' },
            { from: 0.5, color: 'green' },
          ],
          queries: [{ expr: '1 - signalbox:error_ratio:rate30d / 0.001', legend: '{{job}}' }],
        }),
        timeSeries({
          title: 'Burn rate',
          description: 'How many times faster than sustainable the budget burns. 14.4 over an hour pages.',
          unit: 'short',
          queries: ['5m', '1h', '6h'].map((window) => ({
            expr: `signalbox:error_ratio:rate${window} / 0.001`,
            legend: `{{job}} ${window}`,
          })),
        }),
        timeSeries({
          title: 'Latency',
          description: 'From the arrival of a request to its encoded answer, over all models.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((q) => ({
            expr: quantile(q, 'job', 'signalbox_request_duration_seconds', HERE),
            legend: `{{job}} p${q * 100}`,
          })),
        }),
      ],
    },
    {
      title: 'Requests, keys and limits',
      panels: [
        timeSeries({
          title: 'Requests by outcome',
          description: 'How requests ended.',
          unit: 'reqps',
          stacked: true,
          queries: [{ expr: ratePer('outcome', REQUESTS, HERE), legend: '{{outcome}}' }],
        }),
        timeSeries({
          title: 'Turned away at the door',
          description: 'Denied: no key, or not its scope or model. Limited: over its rate.',
          unit: 'reqps',
          queries: ['denied', 'limited'].map((outcome) => ({
            expr: rateOrZero('', REQUESTS, `${HERE}, outcome="${outcome}"`, ANY),
            legend: outcome,
          })),
        }),
        timeSeries({
          title: 'Shed share by model',
          description: 'Share of the requests that found a full queue, or waited in it for too long.',
          unit: 'percentunit',
          queries: [
            {
              expr: share('model', REQUESTS, `${HERE}, outcome="shed"`, `${HERE}, model!=""`),
              legend: '{{model}}',
            },
          ],
        }),
        timeSeries({
          title: 'Requests by protocol',
          description: 'HTTP and gRPC.',
          unit: 'reqps',
          queries: [{ expr: ratePer('protocol', REQUESTS, HERE), legend: '{{protocol}}' }],
        }),
        timeSeries({
          title: 'Configuration reloads',
          description: 'Edits that took effect, and that were refused.',
          unit: 'cps',
          queries: [
            { expr: ratePer('result', 'signalbox_config_reloads_total', HERE), legend: '{{result}}' },
          ],
        }),
        timeSeries({
          title: 'Cache hits',
          description: 'Share of the looks that found an answer.',
          unit: 'percentunit',
          queries: [
            {
              expr: share('', 'signalbox_cache_requests_total', `${HERE}, result="hit"`, HERE),
              legend: 'hits',
            },
          ],
        }),
      ],
    },
    {
      title: 'Process',
      panels: [
        timeSeries({
          title: 'Event loop delay',
          description: 'The 99th percentile of how late the main thread gets to its timers.',
          unit: 's',
          columns: 6,
          queries: [
            { expr: `max by (instance) (nodejs_eventloop_lag_p99_seconds{${HERE}})`, legend: '{{instance}}' },
          ],
        }),
        timeSeries({
          title: 'Collecting garbage',
          description:
            'Share of the time in which the main thread collected garbage. Much of it is a heap that is nearly full.',
          unit: 'percentunit',
          columns: 6,
          queries: [
            {
              expr: ratePer('instance', 'nodejs_gc_duration_seconds_sum', HERE),
              legend: '{{instance}}',
            },
          ],
        }),
        timeSeries({
          title: 'Processor time',
          description: 'Cores that the process keeps busy, its models among them.',
          unit: 'short',
          columns: 6,
          queries: [{ expr: ratePer('instance', 'process_cpu_seconds_total', HERE), legend: '{{instance}}' }],
        }),
        timeSeries({
          title: 'Memory',
          description:
            'The JavaScript heap in use, and all that the process holds; models are in the second.',
          unit: 'bytes',
          columns: 6,
          queries: [
            { expr: `max by (instance) (nodejs_heap_size_used_bytes{${HERE}})`, legend: '{{instance}} heap' },
            {
              expr: `max by (instance) (process_resident_memory_bytes{${HERE}})`,
              legend: '{{instance}} resident',
            },
          ],
        }),
        timeSeries({
          title: 'Dropped events',
          description: 'Exposures, comparisons of mirrors and spans that a sink could not keep, a second.',
          unit: 'cps',
          columns: 8,
          queries: [
            {
              expr: rateOrZero('sink', 'signalbox_events_dropped_total', HERE, ANY),
              legend: '{{sink}}',
            },
          ],
        }),
        timeSeries({
          title: 'Rejected outcomes',
          description: 'Outcomes that were not accepted, by the code that their senders were told, a second.',
          unit: 'cps',
          columns: 8,
          queries: [
            {
              expr: rateOrZero('code', 'signalbox_outcomes_rejected_total', HERE, ANY),
              legend: '{{code}}',
            },
          ],
        }),
        timeSeries({
          title: 'Waiting outcomes',
          description: 'Accepted outcomes on disk that wait for the state store; above 0 it is away.',
          unit: 'short',
          columns: 8,
          queries: [
            {
              expr: `sum by (instance) (signalbox_outcomes_spooled{${HERE}})`,
              legend: '{{instance}}',
            },
          ],
        }),
        stat({
          title: 'State may be evicted',
          description:
            'Replicas whose Redis takes the state away when its memory is full: its maxmemory-policy is not noeviction.',
          unit: 'short',
          thresholds: [
            { from: null, color: 'green' },
            { from: 1, color: 'red' },
          ],
          queries: [{ expr: `sum(signalbox_state_may_be_evicted{${HERE}})`, legend: 'replicas' }],
        }),
        stat({
          title: 'Next certificate to expire',
          description: 'When the first of the certificates ends.',
          unit: 'dateTimeFromNow',
          queries: [
            {
              expr: `min by (plane) (signalbox_certificate_expiry_timestamp_seconds{${HERE}}) * 1000`,
              legend: '{{plane}}',
            },
          ],
        }),
        stat({
          title: 'Next key to expire',
          description: 'When the first of the API keys ends.',
          unit: 'dateTimeFromNow',
          queries: [
            {
              expr: `min(signalbox_key_expiry_timestamp_seconds{${HERE}}) * 1000`,
              legend: 'first',
            },
          ],
        }),
      ],
    },
  ],
};
