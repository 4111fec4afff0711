/** `npm run soak:swaps [-- SWAPS]`: replaces a model under load, and says what was lost and what the memory did. */
import { cpus } from 'node:os';
import { median, print } from '../report.ts';
import { soakSwaps } from './swaps.ts';

/** Memory after the last swaps may be that much above that after the first ones. */
const MOST_GROWTH = 1.15;

const swaps = Number(process.argv[2] ?? 1000);
const callers = 16;
const warmAnswers = 50_000;
print(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const { answers, failures, wrong, rssBytes, seconds } = await soakSwaps({
  swaps,
  callers,
  warmAnswers,
  onSwap(swap, bytes) {
    if (swap % 50 === 0) process.stderr.write(`swap ${swap}: RSS ${mebibytes(bytes)}\n`);
  },
});

const tenth = Math.max(1, Math.floor(swaps / 10));
const early = median(rssBytes.slice(0, tenth));
const late = median(rssBytes.slice(-tenth));
print(`${swaps} swaps in ${seconds.toFixed(0)} s, ${callers} callers, ${answers} answers`);
print(
  `failed: ${[...failures.values()].reduce((sum, count) => sum + count, 0)}, wrong or mixed: ${wrong.length}`,
);
print(
  `RSS, median of a tenth of the swaps: first tenth ${mebibytes(early)}, last tenth ${mebibytes(late)}, ` +
    `highest ${mebibytes(Math.max(...rssBytes))}`,
);
for (const [body, count] of failures) print(`  ${count} times ${body}`);
for (const line of wrong.slice(0, 10)) print(`  ${line}`);
if (failures.size > 0 || wrong.length > 0 || late > early * MOST_GROWTH) process.exitCode = 1;
