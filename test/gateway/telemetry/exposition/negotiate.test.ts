import { expect, test } from 'vitest';
import { negotiate } from '../../../../gateway/telemetry/exposition/negotiate.ts';

test.each([
  ['text', undefined],
  ['text', ''],
  ['text', '*/*'],
  ['text', 'text/html,*/*;q=0.8'],
  ['text', 'text/plain'],
  ['text', 'text/plain;version=0.0.4;q=1,*/*;q=0.1'],
  ['openmetrics', 'application/openmetrics-text'],
  ['openmetrics', 'Application/OpenMetrics-Text; version="1.0.0"'],
  // Prometheus 2.42, and 3, which would like protobuf best.
  [
    'openmetrics',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  ],
  [
    'openmetrics',
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.2',
  ],
  ['text', 'application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.7'],
  ['text', 'application/openmetrics-text;version=2.0.0,text/plain;q=0.1'],
  ['text', 'application/openmetrics-text;q=0'],
  ['text', 'application/openmetrics-text;q=nonsense'],
  ['text', 'application/json'],
] as const)('%s is what is best for who accepts %s', (format, accept) => {
  expect(negotiate(accept)).toBe(format);
});
