import { expect, test, vi } from 'vitest';
import { readUpstream } from '../../../experiments/upstream-definition.ts';
import { UpstreamVersion } from '../../../gateway/upstream/upstream-version.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { answers42, startVariantServer } from './variant-server.ts';

const tensor = (name: string): object => ({ name, datatype: 'FP32', shape: [-1, 1] });

test('what a server says of its model is asked again once it has been away, as another may stand there then', async () => {
  const metadata = { platform: 'before', inputs: [tensor('INPUT')], outputs: [tensor('OUTPUT')] };
  await using server = await startVariantServer(answers42, metadata);
  // On a busy machine a check may take long, and says nothing of the server then.
  const health = { interval: '20ms', timeout: '1m', healthyAfter: 1, unhealthyAfter: 1 };
  const definition = readUpstream({ url: server.url, health }, 'digits', [], (_, message) => {
    throw new Error(message);
  });
  const readiness = vi.fn();
  const version = new UpstreamVersion({
    model: 'digits',
    definition,
    keepsCredentials: false,
    answers: { answerBytes: 1024 ** 2, takenWithinMs: 60_000 },
    local: () => undefined,
    events: { onTry: () => undefined, onRetry: () => undefined, onReadiness: readiness },
  });
  const known = (): unknown => [version.about.platform, version.about.inputs.map(({ name }) => name)];
  try {
    await version.start();
    expect([version.isReady, known()]).toEqual([true, ['before', ['INPUT']]]);

    await server.shut();
    await eventuallyHolds(() => {
      expect(version.isReady).toBe(false);
    });
    Object.assign(metadata, { platform: 'after', inputs: [tensor('PIXELS')] });
    await server.open();
    await eventuallyHolds(() => {
      expect(version.isReady).toBe(true);
    });
    expect(known()).toEqual(['after', ['PIXELS']]);
    expect(readiness.mock.calls.map(([isReady]) => isReady as boolean)).toEqual([true, false, true]);
  } finally {
    await version.close();
  }
});
