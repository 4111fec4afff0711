import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { buildAdminPlane, buildDataPlane } from '../../gateway/app.ts';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { openGateway } from '../../gateway/open-gateway.ts';
import { openApiDocument } from './document.ts';

/** A plane's document, as it is committed in `docs/openapi/`. */
export interface PublishedDocument {
  readonly file: string;
  readonly document: object;
  readonly text: string;
}

/** The documents of both planes, from the routes that these register. */
export async function publishedDocuments(): Promise<readonly PublishedDocument[]> {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-openapi-'));
  try {
    await mkdir(join(folder, 'models'));
    await writeFile(
      join(folder, 'signalbox.yaml'),
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: ./models }\n',
    );
    const config = await loadConfig(join(folder, 'signalbox.yaml'), {});
    const gateway = await openGateway(config, pino({ level: 'silent' }));
    const [data, admin] = await Promise.all([buildDataPlane(gateway), buildAdminPlane(gateway)]);
    await Promise.all([data.ready(), admin.ready()]);
    const published = [
      publish('data.json', openApiDocument(DATA, data.declaredRoutes)),
      publish('admin.json', openApiDocument(ADMIN, admin.declaredRoutes)),
    ];
    await Promise.all([data.close(), admin.close()]);
    await gateway.close();
    return published;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function publish(file: string, document: object): PublishedDocument {
  return { file, document, text: `${JSON.stringify(document, undefined, 2)}\n` };
}

const DATA = {
  title: 'Signalbox: data plane',
  description:
    'Predictions, and what came of them. Callers are routed between the versions of a model by the experiment on it; every answer says where it came from.',
  server: '127.0.0.1:8000',
};

const ADMIN = {
  title: 'Signalbox: control plane',
  description: 'Models, experiments, rollouts and keys.',
  server: '127.0.0.1:8003',
};
