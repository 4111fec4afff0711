import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

async function warningsOf(listen: string): Promise<readonly string[]> {
  await using folder = await temporaryFolder({
    'signalbox.yaml': `listen: ${listen}\nmodels: { repository: ./models }\n`,
    'models/simple/1/model.onnx': identityModel(),
  });
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const server = await serve(await loadConfig(join(folder.path, 'signalbox.yaml'), {}), log);
  await server.stop();
  return lines.map((line) => (JSON.parse(line) as { plane: string; msg: string }).plane);
}

test('a plane that strangers can reach is warned of, as there are no keys', async () => {
  expect(await warningsOf('{ http: "0.0.0.0:0", metrics: "127.0.0.1:0" }')).toEqual(['http']);
});

test('planes on loopback are not', async () => {
  expect(await warningsOf('{ http: "localhost:0", metrics: "[::1]:0" }')).toEqual([]);
});
