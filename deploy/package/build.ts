/**
 * Compiles what the package runs into `dist/`: JavaScript, types, source maps, and the demo. Options that it is given go to the compiler:
 * `--noCheck` is for source whose types have just been checked.
 */
import { spawnSync } from 'node:child_process';
import { cp, glob, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Files that the code opens beside itself by name: the compiler rewrites imports only. */
const BESIDE_ITSELF = /(new URL\('\.{1,2}\/[^']+)\.ts(', import\.meta\.url\))/g;

await rm(`${ROOT}dist`, { recursive: true, force: true });
const options = ['--project', 'tsconfig.build.json', ...process.argv.slice(2)];
const compiled = spawnSync('tsc', options, { cwd: ROOT, stdio: 'inherit' });
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
for await (const file of glob('dist/**/*.js', { cwd: ROOT })) {
  const text = await readFile(`${ROOT}${file}`, 'utf8');
  const rewritten = text.replaceAll(BESIDE_ITSELF, '$1.js$2');
  if (rewritten !== text) await writeFile(`${ROOT}${file}`, rewritten);
}
// Protocol definitions are read at run time.
for await (const file of glob('{gateway,backends}/**/*.proto', { cwd: ROOT })) {
  await cp(`${ROOT}${file}`, `${ROOT}dist/${file}`);
}
// By name: beside them a demo that ran leaves its state, with the secret that signs prediction ids, and its audit log.
for (const part of ['signalbox.yaml', 'hints.txt', 'models', 'ensembles', 'experiments', 'images']) {
  await cp(`${ROOT}demo/${part}`, `${ROOT}dist/demo/${part}`, { recursive: true });
}
// What `/docs` shows.
await cp(`${ROOT}docs/openapi`, `${ROOT}dist/docs/openapi`, { recursive: true });
// What `signalbox observe` gives to Prometheus and shows the way to, and the console.
for (const folder of ['grafana', 'prometheus', 'alertmanager', 'console/bundle']) {
  await cp(`${ROOT}dashboards/${folder}`, `${ROOT}dist/dashboards/${folder}`, { recursive: true });
}
