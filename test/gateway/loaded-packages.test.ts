import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from '../e2e/cli.ts';

/** Prints the names of the packages that are loaded with a gateway, before it has read what it is to do. */
const PROGRAM = `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
await import('./gateway/cli/serve.ts');
await import('./gateway/server.ts');
process.stdout.write(JSON.stringify([...loaded]));
`;

test('who has no gRPC, traces, tokens or Redis does not wait for the packages of them at each start', async () => {
  const node = ['--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: ROOT });
  const loaded = JSON.parse(stdout) as readonly string[];
  expect(loaded).toContain('fastify');
  const needless = ['@grpc/grpc-js', '@grpc/proto-loader', '@opentelemetry/sdk-trace', 'ioredis', 'jose'];
  expect(loaded.filter((name) => needless.includes(name))).toEqual([]);
});
