/** `npm run chaos [-- TEXT]`: breaks what can break, for real, and says what callers saw. bench/README.md has the method. */
import { cpus } from 'node:os';
import { print } from '../report.ts';
import { FAULTS } from './faults/all.ts';
import { FULL } from './finding.ts';
import type { Fault, Finding } from './finding.ts';

const wanted = process.argv[2] ?? '';
print(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
print(
  '| fault | what callers saw | lost of what was acknowledged | as before again, after the end of the fault |',
);
print('| --- | --- | --- | --- |');
for (const fault of FAULTS.filter(({ name }) => name.includes(wanted))) {
  process.stderr.write(`${fault.name} …\n`);
  const finding = await found(fault);
  if (typeof finding === 'string') {
    print(`| ${fault.name} | not tried: ${finding} | | |`);
    continue;
  }
  const { saw, lost, recovery, problems } = finding;
  const times = recovery.map(({ what, afterMs }) => `${what}: ${(afterMs / 1000).toFixed(2)} s`);
  print(`| ${fault.name} | ${saw} | ${lost} | ${times.join('; ') || 'nothing failed'} |`);
  for (const problem of problems) print(`|   not as it should be: ${problem} | | | |`);
  if (problems.length > 0) process.exitCode = 1;
}

/** What hangs or breaks is a finding too, and the faults after it are tried all the same. */
async function found(fault: Fault): Promise<Finding | string> {
  try {
    return await fault.run(FULL);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return {
      fault: fault.name,
      saw: 'not told',
      lost: 'not told',
      recovery: [],
      problems: [problem],
    };
  }
}
