import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sendTraffic } from '../../../gateway/cli/demo-traffic.ts';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { run } from '../../e2e/cli.ts';
import { keysYaml } from '../keys-yaml.ts';
import { DEMO_FOLDER, startGateway } from '../running-gateway.ts';

test('the demo’s traffic sends the key of SIGNALBOX_KEY, outcomes too, and says why requests fail without one', async () => {
  const key = createKey();
  await using gateway = await startGateway({
    admin: true,
    repository: join(DEMO_FOLDER, 'models'),
    config: 'auth: { keys: ./keys.yaml }\n',
    files: {
      'keys.yaml': keysYaml([key, 'scopes: [infer, outcomes, "admin:read"]']),
    },
  });
  const traffic = async (text: string) => {
    const args = ['demo', 'traffic', '--requests', '20', '--users', '10', '--url', gateway.url('')];
    const admin = ['--admin', `http://${gateway.server.bound.admin ?? ''}`];
    const env = { ...process.env, SIGNALBOX_KEY: text };
    await using command = run(process.execPath, ['gateway/cli/main.ts', ...args, ...admin], env);
    await command.ended;
    return command.stdout();
  };
  const refused = await traffic('');
  expect(refused).toContain('20 of 20 requests, 20 failed');
  expect(refused).toContain('the first failure: 401: a key is needed');
  const taken = await traffic(key.text);
  expect(taken).toContain('20 of 20 requests, 0 failed');
  expect(taken).not.toContain('the first failure');
});

test('no more requests a second go than the rate lets', async () => {
  await using gateway = await startGateway({ admin: true, repository: join(DEMO_FOLDER, 'models') });
  const startMs = performance.now();
  const { sent, failed } = await sendTraffic({
    url: gateway.url(''),
    admin: `http://${gateway.server.bound.admin ?? ''}`,
    ...{ users: 11, requests: 11, concurrency: 4, rate: 10, json: true },
  });
  expect({ sent, failed }).toEqual({ sent: 11, failed: 0 });
  // Timers count in whole milliseconds.
  expect(performance.now() - startMs).toBeGreaterThan(990);
});
