import type { DeclaredRoute } from '../../gateway/faces/scoped-routes.ts';
import { RELEASE } from '../../gateway/release.ts';
import { Components } from './components.ts';
import { operationObject, pathOf } from './operation.ts';

/** What a plane's document says of the whole of it. */
export interface PlaneDescription {
  readonly title: string;
  readonly description: string;
  /** Where the demo has it. */
  readonly server: string;
}

/** The routes of a plane as an OpenAPI 3.1 document. */
export function openApiDocument(
  { title, description, server }: PlaneDescription,
  routes: readonly DeclaredRoute[],
): object {
  const components = new Components();
  const paths: Record<string, Record<string, object>> = {};
  const tags = new Set<string>();
  for (const { method: methods, url, scope, docs } of routes) {
    if (docs === undefined || 'undocumented' in docs || isSpelling(url)) continue;
    tags.add(docs.tag);
    for (const method of [methods].flat()) {
      if (method === 'HEAD') continue;
      const operations = (paths[pathOf(url)] ??= {});
      operations[method.toLowerCase()] = operationObject({ method, url, scope, docs }, components);
    }
  }
  return {
    openapi: '3.1.0',
    info: { title, version: RELEASE, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/', description: `This address; of the demo ${server}` }],
    tags: [...tags].map((name) => ({ name })),
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description:
            'A key, `sb_…`, or a token of the configured issuer. Without `auth` none is asked for.',
        },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'A key, `sb_…`.' },
      },
    },
  };
}

/** A prefix's own path is served with a slash at its end too. */
function isSpelling(url: string): boolean {
  return url !== '/' && url.endsWith('/');
}
