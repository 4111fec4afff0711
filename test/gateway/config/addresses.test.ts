import { expect, test } from 'vitest';
import { load, refusalsOf } from './config-text.ts';

test.each([
  ['127.0.0.1:8000', '127.0.0.1', 8000],
  ['0.0.0.0:0', '0.0.0.0', 0],
  ['localhost:65535', 'localhost', 65_535],
  ['my-host.example_1.com:1', 'my-host.example_1.com', 1],
  ['"[::1]:8000"', '::1', 8000],
  ['"[::]:0"', '::', 0],
  ['"[2001:DB8::8:800:200C:417A]:443"', '2001:DB8::8:800:200C:417A', 443],
  ['"[::ffff:127.0.0.1]:8000"', '::ffff:127.0.0.1', 8000],
])('the address %s is read', async (address, host, port) => {
  const { listen } = await load(`listen: { http: ${address} }\nmodels: { repository: . }\n`);
  expect(listen.http).toEqual({ host, port });
});

test.each([
  '8000',
  '":8000"',
  '"localhost"',
  '"localhost:"',
  '"::1:8000"',
  '"[::1]"',
  '"http://a:80"',
  '"a:8000/x"',
  '"a b:1"',
])('the address %s is refused', async (address) => {
  const [first = ''] = await refusalsOf(`listen: { http: ${address} }\nmodels: { repository: . }\n`);
  expect(first).toBe(
    `signalbox.yaml:1:17: listen.http: is ${address}; ` +
      'expected an address as 127.0.0.1:8000 or [::1]:8000; port 0 takes a free one',
  );
});

test('a port that there is not is refused, on every plane at once', async () => {
  const text = 'listen:\n  http: 127.0.0.1:70000\n  metrics: "[::1]:65536"\nmodels: { repository: . }\n';
  expect(await refusalsOf(text)).toEqual([
    'signalbox.yaml:2:9: listen.http: has port 70000; the highest is 65535',
    'signalbox.yaml:3:12: listen.metrics: has port 65536; the highest is 65535',
  ]);
});
