/** `npm run soak:deaths [-- DEATHS REQUESTS]`: bench/README.md has the method. */
import { median, print, printFigure } from '../report.ts';
import { soakDeaths } from './soak-deaths.ts';

/** An hour of 100 requests a second. */
const HOUR = 360_000;

const [deaths, requests] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? HOUR)];
print(`${deaths} worker deaths under ${requests} requests of 32 callers`);
let nextLine = 10;
const result = await soakDeaths({
  deaths,
  requests,
  onSample: ({ seconds, deaths: died, answered, rssMiB }) => {
    if (seconds >= nextLine) {
      nextLine += 10;
      print(
        `  ${seconds.toFixed(0).padStart(4)} s  ${died} deaths  ${answered} answers  RSS ${rssMiB.toFixed(0)} MiB`,
      );
    }
  },
});
const fifth = Math.floor(result.samples.length / 5);
const rssOf = (from: number): number =>
  median(result.samples.slice(from * fifth, (from + 1) * fifth).map(({ rssMiB }) => rssMiB));
const [second, last] = [rssOf(1), rssOf(4)];
const seconds = result.samples.at(-1)?.seconds ?? 0;
printFigure('worker deaths', `${result.deaths} in ${seconds.toFixed(0)} s`);
printFigure('answers', String(result.answered));
printFigure('lost', String(result.lost.length), '0');
printFigure('mixed', String(result.mixed), '0');
printFigure('what workers died of was answered', result.poisonStatuses.join(', '), '500');
printFigure('RSS, second fifth to last fifth', `${second.toFixed(0)} to ${last.toFixed(0)} MiB`, 'flat');
for (const reason of new Set(result.lost)) print(`  lost: ${reason}`);
if (result.lost.length > 0 || result.mixed > 0) process.exitCode = 1;
