import { join } from 'node:path';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { openGateway } from '../../gateway/open-gateway.ts';
import { Tracing } from '../../gateway/telemetry/tracing/tracing.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { findRedis, startRedis } from '../servers/redis-server.ts';
import { eventually } from './running-gateway.ts';

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

describe.skipIf(found.kind === 'missing')('a gateway that can’t be put together', () => {
  test('leaves nothing open of what was opened for it', async () => {
    await using redis = await startRedis(program);
    await using folder = await temporaryFolder({
      'signalbox.yaml': [
        'listen: { http: 127.0.0.1:0 }',
        'models: { repository: ./models }',
        'experiments: ./experiments',
        `state: ${redis.url}`,
        'limits: { store: redis }',
        'telemetry: { otlp: { endpoint: "http://127.0.0.1:9" } }',
      ].join('\n'),
      'models/digits/1/model.onnx': identityModel(),
      'experiments/README': 'none',
    });
    const config = await loadConfig(join(folder.path, 'signalbox.yaml'), {});
    const closed = vi.spyOn(Tracing.prototype, 'close');
    // Asked for when all is opened that is opened before.
    const failing = {
      ...config,
      get webhooks(): typeof config.webhooks {
        throw new Error('it is asked for the webhooks');
      },
    };
    await expect(openGateway(failing, pino({ level: 'silent' }))).rejects.toThrow(
      'it is asked for the webhooks',
    );
    expect(closed).toHaveBeenCalledTimes(1);
    const asking = new Redis(redis.url);
    await eventually(
      async () =>
        String(await asking.client('LIST'))
          .trim()
          .split('\n').length === 1,
    );
    asking.disconnect();
  });
});
