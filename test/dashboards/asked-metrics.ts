/** Metrics of what a test need not have, a GPU, a certificate or keys: they have no series there. */
export const HARDWARE_METRICS: readonly string[] = [
  'signalbox_gpu_utilization_ratio',
  'signalbox_gpu_memory_used_bytes',
  'signalbox_certificate_expiry_timestamp_seconds',
  'signalbox_key_expiry_timestamp_seconds',
];

const METRIC = /\b(?:signalbox|nodejs|process)_[a-z0-9_]+|\b(?:up|ALERTS)\b(?=\{)/g;

/** The metrics that a PromQL text asks for; series of a histogram by its own name, recorded ones (with colons) left out. */
export function metricsOf(expr: string): readonly string[] {
  const names = expr.replace(/\b[a-z_]+:[a-z0-9_:]+/g, '').match(METRIC) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')))];
}
