import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { EventStream } from '../../../gateway/faces/admin/live/event-stream.ts';

test('an event of any length keeps no other from its reader, who is told no more until it has caught up', async () => {
  await using app = fastify();
  const opened = Promise.withResolvers<EventStream>();
  app.get('/', (_, reply) => {
    opened.resolve(new EventStream(reply, () => undefined));
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const request = get({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1' });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const stream = await opened.promise;
  stream.send('experiments', JSON.stringify('x'.repeat(16 * 1024 ** 2)));
  expect(stream.isReady).toBe(false);
  stream.send('models', '"all"');
  stream.send('results', '"all"');
  stream.end();
  let text = '';
  for await (const chunk of response) text += String(chunk);
  expect(text.match(/^event: .*/gm)).toEqual(['event: experiments', 'event: models', 'event: results']);
});
