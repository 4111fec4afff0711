import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { OtlpEvents } from '../../../gateway/exposures/otlp-events.ts';
import { run } from '../../e2e/cli.ts';
import { pythonEnvironment } from '../../interop/python-environment.ts';
import { eventually, experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import { MEASURED_FILES, predict } from '../faces/predictions.ts';

const RECEIVER = fileURLToPath(new URL('../../interop/python/otlp_receiver.py', import.meta.url));

interface Received {
  readonly path: string;
  readonly key: string | null;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
  readonly event: string;
  readonly time: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const python = await pythonEnvironment('otlp-requirements.txt');

describe.skipIf(python.kind === 'missing')(
  `a receiver of OpenTelemetry's own definitions (${python.kind === 'missing' ? python.reason : python.python})`,
  () => {
    /** A process that receives; the first so many requests it refuses as busy. */
    async function startReceiver(refusals: number) {
      const command = run(python.kind === 'ready' ? python.python : '', [RECEIVER, String(refusals)]);
      await expect.poll(() => command.stdout().includes('\n')).toBe(true);
      const [port = ''] = command.stdout().split('\n');
      return {
        url: `http://127.0.0.1:${port}/v1/logs`,
        received: (): readonly Received[] =>
          command
            .stdout()
            .split('\n')
            .slice(1, -1)
            .map((line) => JSON.parse(line) as Received),
        [Symbol.asyncDispose]: () => command[Symbol.asyncDispose](),
      };
    }

    test('gets an event of each routed request, in the conventions’ names, also where it was busy at first', async () => {
      await using receiver = await startReceiver(1);
      const config = `telemetry: { events: { sink: otlp, endpoint: "${receiver.url}", headers: { x-key: secret } } }`;
      await using gateway = await startGateway({ config, files: MEASURED_FILES });
      const ada = await predict(gateway, 'ada');
      const forced = await predict(gateway, 'tester', { headers: { 'x-experiment': 'v2' } });
      await gateway.server.gateway.state.exposures.flush();
      expect(
        metricValue(await gateway.metrics(), 'signalbox_events_dropped_total', { sink: 'otlp' }),
        gateway.log.join(),
      ).toBe(0);
      // What it printed comes through a pipe.
      await eventually(() => receiver.received().length >= 2);
      const [first, second] = receiver.received();
      expect(first).toMatchObject({
        path: '/v1/logs',
        key: 'secret',
        resource: { 'service.name': 'signalbox' },
        scope: 'signalbox',
        event: 'feature_flag.evaluation',
        attributes: {
          'feature_flag.key': 'digits-cnn',
          'feature_flag.provider.name': 'signalbox',
          'feature_flag.result.variant': ada.variant,
          'feature_flag.result.reason': 'split',
          'signalbox.prediction_id': ada.id,
          'signalbox.model.name': 'digits',
          'signalbox.outcome': 'ok',
        },
      });
      expect(Math.abs((first?.time ?? 0) / 1e6 - Date.now())).toBeLessThan(60_000);
      expect(JSON.stringify(first)).not.toContain('ada"');
      expect(second?.attributes).toMatchObject({
        'feature_flag.result.variant': 'v2',
        'feature_flag.result.reason': 'targeting_match',
        'signalbox.reason': 'override',
        'signalbox.prediction_id': forced.id,
      });
      expect(receiver.received()).toHaveLength(2);
    });
  },
);

test('a receiver that is away holds nobody up, and what it missed is counted', async () => {
  const config =
    'telemetry: { events: { sink: otlp, endpoint: "http://127.0.0.1:9/v1/logs", timeout: 200ms } }';
  await using gateway = await startGateway({
    config,
    files: { ...MEASURED_FILES, 'experiments/digits.yaml': experimentFile() },
  });
  expect(await predict(gateway, 'ada')).toMatchObject({ status: 200 });
  await gateway.server.gateway.state.exposures.flush();
  expect(metricValue(await gateway.metrics(), 'signalbox_events_dropped_total', { sink: 'otlp' })).toBe(1);
});

test('events that wait are bounded', async () => {
  const dropped: number[] = [];
  const sink = new OtlpEvents(
    { url: 'http://127.0.0.1:9/v1/logs', headers: {}, timeoutMs: 100, serviceName: 'signalbox' },
    (_, count) => dropped.push(count),
  );
  sink.accept([]);
  await sink.close();
  expect(dropped).toEqual([]);
});
