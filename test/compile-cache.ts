import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ROOT, run } from './e2e/cli.ts';
import { temporaryFolder } from './models/temporary-folder.ts';

const CONFIG =
  'listen: { http: 127.0.0.1:0, grpc: 127.0.0.1:0, metrics: 127.0.0.1:0, admin: 127.0.0.1:0 }\n' +
  `models: { repository: ${JSON.stringify(join(ROOT, 'demo/models'))}, defaultModel: digits }\nstate: sqlite:./state.db\n`;

/** From so many files on, more is saved by it than the few seconds that it takes. */
const MANY_FILES = 50;

/** Node keeps what it made of the source while the tests run; each run has a folder of its own, which Node makes and this takes away. */
export default async function setup({ config, vitest }: TestProject): Promise<() => Promise<void>> {
  const folder = config.env.NODE_COMPILE_CACHE;
  if (folder === undefined) return () => Promise.resolve();
  if (vitest.state.getPaths().length >= MANY_FILES) await compile(folder);
  return async () => {
    // A process that is just ending still writes to it. What is left after all tries is in the system's temporary folder, and fails no test.
    await rm(folder, { recursive: true, force: true, maxRetries: 8, retryDelay: 100 }).catch(() => undefined);
  };
}

/** A gateway that starts and stops. Without it the many that begin beside each other would each compile all of the source. */
async function compile(folder: string): Promise<void> {
  await using place = await temporaryFolder({ 'signalbox.yaml': CONFIG });
  await using server = run(
    process.execPath,
    ['gateway/cli/main.ts', 'serve', '--config', join(place.path, 'signalbox.yaml')],
    { ...process.env, NODE_COMPILE_CACHE: folder },
  );
  // What keeps it from starting the tests will tell.
  await server.ready().catch(() => undefined);
  server.child.kill('SIGINT');
  await server.ended;
}
