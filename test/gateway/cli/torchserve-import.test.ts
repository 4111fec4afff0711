import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { convertTorchserve } from '../../../gateway/cli/torchserve-import/convert.ts';
import { readProperties } from '../../../gateway/cli/torchserve-import/properties.ts';
import { loadConfig } from '../../../gateway/config/load-config.ts';
import { signalbox } from '../../e2e/cli.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

/** As TorchServe's documentation and examples have it, continued lines and all. */
const PROPERTIES = String.raw`# A comment
inference_address=http://0.0.0.0:8080
management_address: http://127.0.0.1:8081
metrics_address = http://[::1]:8082
grpc_inference_port=7070
model_store=model-store
load_models=densenet161.mar,pets=pets-v2.mar
models={\
  "noop": {\
    "1.0": {\
        "defaultVersion": true,\
        "marName": "noop.mar",\
        "minWorkers": 2,\
        "batchSize": 4,\
        "maxBatchDelay": 100,\
        "responseTimeout": 120\
    }\
  }\
}
default_response_timeout=120
unregister_model_timeout=60
max_request_size=65535000
number_of_netty_threads=32
job_queue_size=1000
cors_allowed_origin=*
foo=bar
`;

const converted = (text: string) => convertTorchserve(readProperties(text));

describe('TorchServe’s config.properties', () => {
  test('becomes a configuration that a gateway takes', async () => {
    const { yaml } = converted(PROPERTIES);
    await using folder = await temporaryFolder({ 'signalbox.yaml': yaml, 'model-store/README': '' });
    const config = await loadConfig(join(folder.path, 'signalbox.yaml'), {});
    expect(config.listen).toMatchObject({
      http: { host: '0.0.0.0', port: 8080 },
      admin: { host: '127.0.0.1', port: 8081 },
      metrics: { host: '::1', port: 8082 },
      grpc: { host: '127.0.0.1', port: 7070 },
    });
    expect(config.models).toMatchObject({ roots: [join(folder.path, 'model-store')], control: 'explicit' });
    expect(config.timeouts).toMatchObject({ inferenceMs: 120_000, drainMs: 60_000 });
    expect(config.server.bodyLimitBytes).toBe(65_535_000);
  });

  test('that says nothing means TorchServe’s own defaults', async () => {
    await using folder = await temporaryFolder({ 'signalbox.yaml': converted('').yaml, 'models/README': '' });
    const { listen } = await loadConfig(join(folder.path, 'signalbox.yaml'), {});
    expect([listen.http.port, listen.admin?.port, listen.metrics?.port, listen.grpc?.port]).toEqual([
      8080, 8081, 8082, 7070,
    ]);
  });

  test('tells by name what doesn’t come along, and what stands in its place', () => {
    const { notes } = converted(PROPERTIES);
    const about = (key: string) => notes.find((note) => note.startsWith(key));
    expect(about('number_of_netty_threads=32')).toContain('no Netty');
    expect(about('job_queue_size=1000')).toContain('max_queue_size');
    expect(about('cors_allowed_origin=*')).toContain('put a proxy in front');
    expect(about('foo=bar')).toContain('means nothing here');
    expect(about('models.noop.1.0.responseTimeout=120')).toContain('timeouts.inference');
    expect(about('max_request_size')).toBeUndefined();
  });

  test('tells the calls that register what it would have loaded', () => {
    expect(converted(PROPERTIES).registrations).toEqual([
      `curl -X POST 'http://127.0.0.1:8081/models?url=densenet161.mar'`,
      `curl -X POST 'http://127.0.0.1:8081/models?url=pets-v2.mar&model_name=pets'`,
      `curl -X POST 'http://127.0.0.1:8081/models?url=noop.mar&model_name=noop&initial_workers=2&batch_size=4&max_batch_delay=100'`,
    ]);
  });

  test('with encrypted addresses brings their certificate, or says what it needs', () => {
    const { yaml } = converted(
      'inference_address=https://0.0.0.0:8443\ncertificate_file=cert.pem\nprivate_key_file=key.pem\n',
    );
    expect(yaml).toMatch(/tls:\n {2}http:\n {4}cert: cert.pem\n {4}key: key.pem\n/);
    expect(() => converted('management_address=https://0.0.0.0:8444\nkeystore=a.p12\n')).toThrow(
      /openssl pkcs12/,
    );
  });

  test.each([
    ['inference_address=unix:/tmp/a', /inference_address is "unix:\/tmp\/a"; expected an address/],
    ['max_request_size=lots', /max_request_size is "lots"; expected a whole number/],
    ['grpc_inference_port=x', /grpc_inference_port is "x"; expected a port/],
    ['models={', /models is no JSON/],
  ])('that has %s is refused by name', (text, message) => {
    expect(() => converted(text)).toThrow(message);
  });
});

test('`signalbox models import` writes the file, tells the rest on stderr, and leaves a file that is there alone', async () => {
  await using folder = await temporaryFolder({ 'config.properties': PROPERTIES });
  const [from, to] = [join(folder.path, 'config.properties'), join(folder.path, 'signalbox.yaml')];
  await using first = signalbox('models', 'import', from, '--output', to);
  expect(await first.ended).toBe(0);
  expect(first.stdout()).toBe(`wrote ${to}\n`);
  expect(first.stderr()).toContain("Doesn't come along:\n");
  expect(first.stderr()).toContain('url=densenet161.mar');
  await using second = signalbox('models', 'import', from, '--output', to);
  expect(await second.ended).toBe(1);
  expect(second.stderr()).toContain('is there already, and stays as it is');
  await using printed = signalbox('models', 'import', from, '--output', '-');
  expect(await printed.ended).toBe(0);
  expect(printed.stdout()).toContain('inference:');
  await using machine = signalbox('models', 'import', from, '--json');
  expect(await machine.ended).toBe(0);
  expect(Object.keys(JSON.parse(machine.stdout()) as object)).toEqual(['yaml', 'notes', 'registrations']);
});
