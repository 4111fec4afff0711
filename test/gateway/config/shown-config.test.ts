import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ConfigSchema } from '../../../gateway/config/schema.ts';
import { loadConfig } from '../../../gateway/config/load-config.ts';
import { shownConfig } from '../../../gateway/config/shown-config.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

const FULL = `\
listen: { http: 0.0.0.0:80, grpc: '[::1]:81', metrics: localhost:82, admin: 127.0.0.1:83 }
server: { name: triton, bodyLimit: 512KiB, trustProxy: 2 }
models: { repository: [/srv/models, more], control: explicit, load: [digits], defaultModel: digits, allowedUrls: ['https://models.example/'] }
experiments: experiments
auth: { keys: ./keys.yaml, jwt: { issuer: 'https://id.example', audience: box, jwks: 'https://id.example/keys', rate: 5/s } }
limits:
  { addressRate: 60/m burst 9, addressConcurrency: 5, addressDaily: 6, keyRate: 2/s, keyConcurrency: 7, keyDaily: 1000, cost: requests,
    models: { digits: 100/s }, experiments: { digits-cnn: 10/s }, store: redis }
tls: { http: { cert: a.pem, key: b.pem, ca: c.pem }, grpc: { cert: a.pem, key: b.pem, ca: c.pem }, admin: { cert: a.pem, key: b.pem, ca: c.pem } }
timeouts: { grace: 0s, drain: 1500ms }
spool: waiting
state: redis://ada:\${REDIS_PASSWORD}@127.0.0.1:6379/0
secret: ['\${NEW_SECRET}', '\${OLD_SECRET}']
holdout: { share: 0.1, seed: apart }
telemetry: { events: { sink: redis } }
`;

const environment = {
  REDIS_PASSWORD: 'swordfish-of-the-store',
  NEW_SECRET: 'the new secret of this test',
  OLD_SECRET: 'the old secret of this test',
};

async function load(text: string) {
  const folder = await temporaryFolder({ 'signalbox.yaml': text });
  return loadConfig(join(folder.path, 'signalbox.yaml'), environment);
}

describe('a configuration as it is shown', () => {
  test('has no secret in it', async () => {
    const shown = JSON.stringify(shownConfig(await load(FULL)));
    for (const secret of Object.values(environment)) expect(shown).not.toContain(secret);
    expect(shown).toContain('redis://ada:[redacted]@127.0.0.1:6379/0');
    expect(shown).toContain('"secret":["[redacted]","[redacted]"]');
  });

  test('is a configuration again, and the same one but for its secrets', async () => {
    const config = await load(FULL);
    const shown = stringify(shownConfig(config))
      .replace('[redacted]@', `${environment.REDIS_PASSWORD}@`)
      .replace(
        /secret:\n {2}- ".redacted."\n {2}- ".redacted."/,
        `secret: [${environment.NEW_SECRET}, ${environment.OLD_SECRET}]`,
      );
    expect({ ...(await load(shown)), file: '' }).toEqual({ ...config, file: '' });
  });

  test('has the defaults of what the file leaves out', async () => {
    const config = await load('listen: { http: 127.0.0.1:8000 }\nmodels: { repository: ./models }\n');
    const shown = shownConfig(config);
    expect(shown).toMatchObject({
      state: 'memory',
      timeouts: { inference: '30s', grace: '1s' },
      server: { name: 'signalbox' },
    });
    expect({ ...(await load(stringify(shown))), file: '' }).toEqual({ ...config, file: '' });
  });

  test('names every part that a file can have', async () => {
    const shown = shownConfig(await load(FULL));
    expect(Object.keys(shown).toSorted()).toEqual(
      [...Object.keys(ConfigSchema.properties)].filter((key) => key !== 'webhooks').toSorted(),
    );
  });
});
