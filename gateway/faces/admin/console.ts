import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { scope } from '../scoped-routes.ts';

/** What `npm run console` builds from `dashboards/console/`. */
const BUNDLE = fileURLToPath(new URL('../../../dashboards/console/bundle/', import.meta.url));

/**
 * The page runs its own script and style, talks to its own address, and nothing else; nobody may put it into a frame. The key that it holds
 * while its tab is open could be read by a foreign script only, and there is no way for one to get in. What every answer of the plane says stands
 * in `edge/answer-headers.ts`.
 */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  // Its files have no version in their names: browsers ask each time, and are told that nothing changed.
  'cache-control': 'no-cache',
} as const;

const PAGE = { undocumented: 'a page for people' };

/** The console. Loading it needs no key; what it shows does. */
export async function consoleRoutes(app: FastifyInstance): Promise<void> {
  await app.register(fastifyStatic, { root: BUNDLE, serve: false, cacheControl: false });

  app.get('/', scope('open', PAGE), (_request, reply) => reply.redirect('console/'));
  // Relative, so that it works behind a proxy's prefix too.
  app.get('/console', scope('open', PAGE), (_request, reply) => reply.redirect('console/'));
  app.get('/console/', scope('open', PAGE), (_request, reply) =>
    reply.headers(HEADERS).sendFile('index.html'),
  );
  app.get<{ Params: { file: string } }>('/console/:file', scope('open', PAGE), ({ params }, reply) =>
    reply.headers(HEADERS).sendFile(params.file),
  );
}
