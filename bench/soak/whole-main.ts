/** `npm run soak:whole [-- SECONDS]`: 15 minutes at 70 % load with swaps, edits and faults. bench/README.md has the method. */
import { cpus } from 'node:os';
import { findRedis } from '../../test/servers/redis-server.ts';
import { median, print } from '../report.ts';
import { unaccountedFor } from './accounting.ts';
import { soakWhole } from './whole.ts';
import type { Sample } from './whole.ts';

const SHARE = 0.7;

/** What the process holds in the last quarter may be that much above the second, when it has warmed up. */
const MOST_GROWTH = 1.15;

const SAMPLE_EVERY_S = 2;
const TELL_EVERY_S = 60;

const found = await findRedis();
if (found.kind === 'missing') throw new Error(found.reason);
const seconds = Number(process.argv[2] ?? 900);
print(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const report = await soakWhole({
  seconds,
  calibrationSeconds: 10,
  share: SHARE,
  disturbEveryMs: 1500,
  sampleEveryMs: SAMPLE_EVERY_S * 1000,
  redis: found.program,
  onSample({ atSeconds, rssBytes, descriptors }) {
    if (atSeconds % TELL_EVERY_S < SAMPLE_EVERY_S)
      process.stderr.write(`${atSeconds.toFixed(0)} s: ${mebibytes(rssBytes)}, ${descriptors} descriptors\n`);
  },
});
const { samples, predictions, outcomes, disturbed, errors } = report;
const quarters = (of: (sample: Sample) => number): readonly number[] =>
  [0, 1, 2, 3].map((quarter) =>
    median(
      samples
        .slice(Math.floor((quarter * samples.length) / 4), Math.ceil(((quarter + 1) * samples.length) / 4))
        .map(of),
    ),
  );
const held = {
  RSS: quarters(({ rssBytes }) => rssBytes),
  descriptors: quarters(({ descriptors }) => descriptors),
  threads: quarters(({ threads }) => threads),
};
const ends = (counts: ReadonlyMap<unknown, number>): string =>
  [...counts].map(([end, count]) => `${count} × ${String(end)}`).join(', ');
print(
  `${seconds} s at ${report.ratePerSecond} predictions a second, ${SHARE * 100} % of the ${report.capacityPerSecond.toFixed(0)} that it carried before`,
);
print(`predictions: ${ends(predictions)}; of no version: ${report.wrong}; not sent: ${report.left}`);
print(
  `outcomes: ${ends(outcomes)}; ${report.acknowledged} counted (none counts while the experiment is completed), lost of them: ${report.lost}`,
);
print('done to it:');
for (const [name, count] of disturbed) print(`  ${String(count).padStart(4)} × ${name}`);
print('medians of the four quarters:');
print(`  RSS: ${held.RSS.map(mebibytes).join(', ')}`);
print(`  descriptors: ${held.descriptors.join(', ')}`);
print(`  threads: ${held.threads.join(', ')}`);
print('errors in the log:');
for (const [message, count] of errors) print(`  ${String(count).padStart(4)} × ${message}`);
const grown = Object.entries(held)
  .filter(([, [, second = NaN, , last = NaN]]) => !(last <= second * MOST_GROWTH))
  .map(([what]) => `${what} grew by more than ${((MOST_GROWTH - 1) * 100).toFixed(0)} %`);
const problems = [...unaccountedFor(report), ...grown];
print(problems.length === 0 ? 'everything is accounted for' : 'not accounted for:');
for (const problem of problems) print(`  ${problem}`);
if (problems.length > 0) process.exitCode = 1;
