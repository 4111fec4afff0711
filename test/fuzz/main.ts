/**
 * Sends every way in bytes that are nearly well-formed: `npm run fuzz -- --inputs 1000000`. A seed is printed, with which a finding can be made
 * again. Exit code 1 where there was one.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { ENTRIES, shared } from './entries/all.ts';
import { isClean, reportText } from './report.ts';
import { Watchdog } from './watchdog.ts';

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string' },
    from: { type: 'string', default: '0' },
  },
});
const [inputs, seed, from] = [values.inputs, values.seed, values.from].map(Number);
if (
  inputs === undefined ||
  seed === undefined ||
  from === undefined ||
  ![inputs, seed, from].every(Number.isSafeInteger)
)
  throw new Error('--inputs, --seed and --from are whole numbers');
const planned =
  values.only === undefined
    ? shared(inputs)
    : ENTRIES.filter(({ entry }) => entry.name === values.only).map(({ entry }) => ({ entry, inputs }));
if (planned.length === 0)
  throw new Error(
    `there is no ${values.only ?? ''}; there are ${ENTRIES.map(({ entry }) => entry.name).join(', ')}`,
  );

print(`${new Date().toISOString()}  Node ${process.version}  ${cpus().length} x ${cpus()[0]?.model ?? ''}`);
print(`seed ${seed}`);
await using watchdog = new Watchdog();
let total = 0;
for (const { entry, inputs: wanted } of planned) {
  const report = await runCampaign(entry, { inputs: wanted, seed, from, watchdog });
  total += report.inputs;
  print(reportText(report));
  if (!isClean(report)) process.exitCode = 1;
}
print(`${total} inputs`);
