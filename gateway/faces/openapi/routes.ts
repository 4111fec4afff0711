import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { scope } from '../scoped-routes.ts';
import { API_DESCRIPTION_DOCS } from './docs.ts';
import { DOCS_SCRIPT, DOCS_STYLE, docsPage } from './page.ts';
import type { ShownDocument } from './page.ts';

/** What `npm run schemas` makes of the routes. */
const DOCUMENTS = fileURLToPath(new URL('../../../docs/openapi/', import.meta.url));

/** Swagger UI, whole and local. */
const UI = join(dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui'))), 'static');
const UI_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

const DATA: ShownDocument = { file: 'data.json', title: 'Data plane' };
const ADMIN: ShownDocument = { file: 'admin.json', title: 'Control plane' };

/** The documents that each plane shows; the first is its own. */
export const SHOWN = { data: [DATA], admin: [ADMIN, DATA] } as const;

const PAGE = { undocumented: 'a page for people' };

/** The page runs its own address's scripts, and talks to nobody else. Swagger UI has pictures in its style. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
} as const;

/**
 * What can be called at this address: OpenAPI documents at `/docs/{data,admin}.json`, a page that shows them at `/docs/`, and the plane's own
 * document again for `OPTIONS /`, as TorchServe answers it. None needs a key: they say what the project's pages say.
 */
export async function docsRoutes(
  app: FastifyInstance,
  documents: readonly [ShownDocument, ...ShownDocument[]],
): Promise<void> {
  await app.register(fastifyStatic, { root: UI, serve: false, cacheControl: false });
  const json = 'application/json; charset=utf-8';
  const page = docsPage(documents);
  const texts = await Promise.all(documents.map(({ file }) => readFile(join(DOCUMENTS, file), 'utf8')));

  app.options('/', scope('open', API_DESCRIPTION_DOCS), (_request, reply) => reply.type(json).send(texts[0]));
  // Relative, so that it works behind a proxy's prefix too.
  app.get('/docs', scope('open', PAGE), (_request, reply) => reply.redirect('docs/'));
  const own: readonly (readonly [file: string, type: string, text: string | undefined])[] = [
    ['', 'text/html; charset=utf-8', page],
    ['docs.js', 'text/javascript; charset=utf-8', DOCS_SCRIPT],
    ['docs.css', 'text/css; charset=utf-8', DOCS_STYLE],
    ...documents.map(({ file }, index) => [file, json, texts[index]] as const),
  ];
  for (const [file, type, text] of own) {
    app.get(`/docs/${file}`, scope('open', PAGE), (_request, reply) =>
      reply.headers(HEADERS).type(type).send(text),
    );
  }
  for (const file of UI_FILES) {
    app.get(`/docs/${file}`, scope('open', PAGE), (_request, reply) => reply.headers(HEADERS).sendFile(file));
  }
}
