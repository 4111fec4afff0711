/** Every secret that a configuration can hold is planted, and nothing that is shown or refused has one in it. */
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load-config.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';
import { freePort } from '../servers/free-port.ts';
import { MARK, SECRETS, commandWithSecrets, plant, printed } from './planted-secrets.ts';

const folders: TemporaryFolder[] = [];
afterAll(() => Promise.all(folders.map((folder) => folder[Symbol.asyncDispose]())));

async function planted(): ReturnType<typeof plant> {
  const made = await plant(1, await freePort());
  folders.push(made.folder);
  return made;
}

describe('a secret', () => {
  test('is redacted by `signalbox config`, which leaves nothing out', async () => {
    const { folder } = await planted();
    await using shown = commandWithSecrets(['config', join(folder.path, 'signalbox.yaml'), '--json']);
    expect(await shown.ended).toBe(0);
    expect(printed(shown)).not.toContain(MARK);
    expect(JSON.parse(shown.stdout())).toMatchObject({
      secret: ['[redacted]', '[redacted]'],
      state: expect.stringContaining('redis://default:[redacted]@127.0.0.1') as string,
      cache: { redis: expect.stringContaining('redis://:[redacted]@127.0.0.1') as string },
      auth: { jwt: { jwks: expect.stringContaining('http://[redacted]@127.0.0.1') as string } },
      webhooks: [{ name: 'away', url: '[redacted]', secret: '[redacted]', timeout: '200ms' }],
      telemetry: {
        otlp: {
          endpoint: expect.stringMatching(
            /^http:\/\/\[redacted\]@127\.0\.0\.1:\d+\/\?token=\[redacted\]/,
          ) as string,
          headers: { authorization: '[redacted]' },
        },
        events: {
          sink: 'otlp',
          endpoint: expect.stringMatching(
            /^http:\/\/\[redacted\]@127\.0\.0\.1:\d+\/v1\/logs\?token=\[redacted\]/,
          ) as string,
          headers: { authorization: '[redacted]' },
          timeout: '200ms',
        },
      },
    });
  });

  test.each([
    ['a secret that is too short', (text: string) => text.replace(/^secret: .*$/m, `secret: ${MARK}-abc`)],
    [
      'a list of three secrets',
      (text: string) => text.replace(/^secret: .*$/m, `secret: [${MARK}-a, ${MARK}-b, ${MARK}-c]`),
    ],
    ['addresses that are none', (text: string) => text.replaceAll("'http://user", "'htp://user")],
    ['a state that is no address', (text: string) => text.replace('redis://default', 'redis//default')],
    [
      'a webhook’s secret that is too short',
      (text: string) => text.replace("'${HOOK_SECRET}'", `'${MARK}-abc'`),
    ],
    ['YAML that is broken', (text: string) => text.replace(/^secret: .*$/m, `secret: [${MARK}-a: "${MARK}`)],
  ])('is not repeated where it is refused: %s', async (_, change) => {
    const { folder, config } = await planted();
    await folder.write({ 'signalbox.yaml': change(config) });
    const refusal = await loadConfig(join(folder.path, 'signalbox.yaml'), SECRETS).catch(String);
    expect(refusal).toMatch(/signalbox\.yaml:\d+:\d+/);
    expect(refusal).not.toContain(MARK);
  });
});
