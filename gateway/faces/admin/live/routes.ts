import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../../../errors.ts';
import type { Gateway } from '../../../gateway.ts';
import { NOBODY } from '../../../trust/principal.ts';
import { callerHead } from '../../http-call.ts';
import { scope } from '../../scoped-routes.ts';
import { EVENTS_DOCS } from '../docs/events.ts';
import { EventStream } from './event-stream.ts';
import { LiveFeed } from './live-feed.ts';

/** Streams that may be open at once; each is a connection that stays. */
const MAX_STREAMS = 64;

/** `GET /api/events?experiment=KEY`: what the console shows, as it changes. */
export function liveRoutes(app: FastifyInstance, gateway: Gateway): void {
  const feed = new LiveFeed(gateway);
  app.addHook('preClose', (done) => {
    feed.close();
    done();
  });
  app.get<{ Querystring: { experiment?: unknown } }>(
    '/api/events',
    scope('admin:read', EVENTS_DOCS),
    (request, reply): undefined => {
      if (feed.readers >= MAX_STREAMS) {
        throw new GatewayError(
          'too_many_streams',
          `${MAX_STREAMS} streams of events are open, and no more are kept; close one`,
        );
      }
      const { experiment } = request.query;
      const head = callerHead(request);
      let leave = (): void => undefined;
      const stream = new EventStream(reply, () => {
        leave();
      });
      leave = feed.add({
        stream,
        principal: request.principal ?? NOBODY,
        experiment: typeof experiment === 'string' ? experiment : undefined,
        isStillAdmitted: () => gateway.door.admission.stillAdmits(head, 'admin:read'),
      });
    },
  );
}
