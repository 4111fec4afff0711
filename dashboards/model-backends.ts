import type { DashboardDefinition } from './dashboard.ts';
import { INSTANCE, MODEL } from './dashboard.ts';
import { timeSeries } from './panels.ts';
import { mean, quantile, ratePer, rateOrZero } from './promql.ts';

const HERE = 'model=~"$model", instance=~"$instance"';
const VERSION = 'model, version';
const LEGEND = '{{model}} {{version}}';
const VERSIONS_SERVED = `sum by (${VERSION}) (signalbox_instances{${HERE}})`;

/** How the versions batch, queue and run. */
export const MODEL_BACKENDS_DASHBOARD: DashboardDefinition = {
  key: 'model-backends',
  title: 'Model backends',
  description: 'How each version batches, queues and runs, and the device it runs on.',
  variables: [MODEL, INSTANCE],
  rows: [
    {
      title: 'Batching',
      panels: [
        timeSeries({
          title: 'Rows a batch',
          description: 'The mean, and the 95th percentile within the bounds of its bucket.',
          unit: 'short',
          queries: [
            { expr: mean(VERSION, 'signalbox_batch_size', HERE), legend: `${LEGEND} mean` },
            { expr: quantile(0.95, VERSION, 'signalbox_batch_size', HERE), legend: `${LEGEND} p95` },
          ],
        }),
        timeSeries({
          title: 'Batches by release reason',
          description:
            'Why batches left: idle (an instance was free), full, preferred, delay, deadline, drain. Mostly delay means waiting that bought nothing.',
          unit: 'cps',
          stacked: true,
          queries: [
            {
              expr: ratePer('release_reason', 'signalbox_batches_total', HERE),
              legend: '{{release_reason}}',
            },
          ],
        }),
        timeSeries({
          title: 'Rows run',
          description: 'Rows a second through each version.',
          unit: 'rowsps',
          queries: [{ expr: ratePer(VERSION, 'signalbox_batch_size_sum', HERE), legend: LEGEND }],
        }),
      ],
    },
    {
      title: 'Queues',
      panels: [
        timeSeries({
          title: 'Queue depth',
          description: 'Requests that wait for an instance, when Prometheus looked.',
          unit: 'short',
          columns: 6,
          queries: [{ expr: `sum by (${VERSION}) (signalbox_queue_depth{${HERE}})`, legend: LEGEND }],
        }),
        timeSeries({
          title: 'Queue age',
          description: 'How long the oldest of them had waited, when Prometheus looked.',
          unit: 's',
          columns: 6,
          queries: [{ expr: `max by (${VERSION}) (signalbox_queue_age_seconds{${HERE}})`, legend: LEGEND }],
        }),
        timeSeries({
          title: 'Queue time',
          description: 'How long requests waited. To scale by: it grows before latency is lost to it.',
          unit: 's',
          columns: 6,
          queries: [0.5, 0.99].map((q) => ({
            expr: quantile(q, VERSION, 'signalbox_queue_duration_seconds', HERE),
            legend: `${LEGEND} p${q * 100}`,
          })),
        }),
        timeSeries({
          title: 'Compute time',
          description: "A batch's time in the model.",
          unit: 's',
          columns: 6,
          queries: [0.5, 0.99].map((q) => ({
            expr: quantile(q, VERSION, 'signalbox_compute_duration_seconds', HERE),
            legend: `${LEGEND} p${q * 100}`,
          })),
        }),
      ],
    },
    {
      title: 'Instances',
      panels: [
        timeSeries({
          title: 'Instances by state',
          description: 'Workers that are ready, and that are not yet or no more.',
          unit: 'short',
          columns: 12,
          stacked: true,
          queries: [
            {
              expr: `sum by (${VERSION}, state) (signalbox_instances{${HERE}})`,
              legend: `${LEGEND} {{state}}`,
            },
          ],
        }),
        timeSeries({
          title: 'Worker restarts',
          description: 'Workers that died and were replaced, a second.',
          unit: 'cps',
          columns: 12,
          queries: [
            {
              expr: rateOrZero(VERSION, 'signalbox_worker_restarts_total', HERE, VERSIONS_SERVED),
              legend: LEGEND,
            },
          ],
        }),
      ],
    },
    {
      title: 'Device',
      panels: [
        timeSeries({
          title: 'GPU utilisation',
          description: 'Share of the time that the device ran something.',
          unit: 'percentunit',
          columns: 12,
          queries: [
            {
              expr: 'max by (instance, gpu) (signalbox_gpu_utilization_ratio{instance=~"$instance"})',
              legend: '{{instance}} {{gpu}}',
            },
          ],
        }),
        timeSeries({
          title: 'GPU memory',
          description: 'Memory in use on the device.',
          unit: 'bytes',
          columns: 12,
          queries: [
            {
              expr: 'max by (instance, gpu) (signalbox_gpu_memory_used_bytes{instance=~"$instance"})',
              legend: '{{instance}} {{gpu}}',
            },
          ],
        }),
      ],
    },
  ],
};
