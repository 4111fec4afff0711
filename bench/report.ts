import type { LongestTurn } from './servers/messages.ts';

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** `0.72 (0.61 to 0.80)`: the median of the rounds, with the lowest and the highest. */
export function spread(values: readonly number[], digits = 2): string {
  const shown = (value: number): string => value.toFixed(digits);
  return `${shown(median(values))} (${shown(Math.min(...values))} to ${shown(Math.max(...values))})`;
}

/** One line: what it is, the figure, and what was asked of it. */
export function printFigure(what: string, figure: string, asked = ''): void {
  print(`  ${what.padEnd(34)} ${figure}${asked === '' ? '' : `   asked: ${asked}`}`);
}

/** One line: the median of some rounds' longest turns, with the shortest and the longest of them. */
export function turns(rounds: readonly LongestTurn[]): string {
  return `${spread(
    rounds.map(({ ownMs }) => ownMs),
    1,
  )} ms of its own time, ${spread(
    rounds.map(({ byClockMs }) => byClockMs),
    1,
  )} ms by the clock`;
}
