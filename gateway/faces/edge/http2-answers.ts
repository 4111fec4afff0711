import type { FastifyInstance } from 'fastify';
import { isHttp2 } from './framing.ts';

/** Over HTTP/2 a call is one of many on its connection, and `Connection`, with which the framework ends one after an error, is no header. */
export function dropConnectionHeaders(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (isHttp2(request.raw)) reply.removeHeader('connection');
    done();
  });
}
