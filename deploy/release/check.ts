/**
 * Says whether this tree may be released: `check.ts`, before `npm version`. With `--record` it writes down the contract of the release
 * that was made, which the next one is compared with.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { brokenNames, extractContract } from './contract.ts';
import type { Contract } from './contract.ts';
import { stampedFiles } from './stamped-files.ts';

const RECORDED = new URL('contract.json', import.meta.url);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHANGELOG = new URL('../../CHANGELOG.md', import.meta.url);

const contract = await extractContract(packageJson.version);
if (process.argv.includes('--record')) {
  await writeFile(RECORDED, `${JSON.stringify(contract, null, 2)}\n`);
} else {
  const released = JSON.parse(await readFile(RECORDED, 'utf8')) as Contract;
  const problems = brokenNames(released, contract).map(
    (name) => `${name}: was in ${released.version} and is gone; keep it, or raise the version that says so`,
  );
  const isBumped = contract.version !== released.version;
  if (isBumped && !(await readFile(CHANGELOG, 'utf8')).includes(`\n## ${contract.version}`)) {
    problems.push(`CHANGELOG.md: has no section "## ${contract.version}"`);
  }
  for (const { file, isOther } of await stampedFiles(ROOT, contract.version))
    if (isOther)
      problems.push(
        `${file}: names another release than ${contract.version}; run \`node deploy/release/stamp.ts\``,
      );
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
  else process.stdout.write(`${contract.names.length} names, none of ${released.version} is gone\n`);
}
