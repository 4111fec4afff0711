/** An interval of a lift to be drawn; an end that nothing limits is null. */
export interface PlottedInterval {
  readonly label: string;
  readonly estimate: number | null;
  readonly interval: readonly [low: number | null, high: number | null] | null;
}

const COLUMNS = 48;

/**
 * Draws intervals over one axis, with a line at zero: `├──●──┤`, and `◂` or `▸` where an end lies outside or is not limited.
 *
 * @returns the lines; none where there is no interval
 */
export function intervalPlot(intervals: readonly PlottedInterval[]): readonly string[] {
  const ends = intervals.flatMap(({ estimate, interval }) =>
    interval === null ? [] : [estimate, ...interval].filter((end) => end !== null),
  );
  if (ends.length === 0) return [];
  // One wild interval would press all others into a point.
  const reach = Math.min(Math.max(...ends.map(Math.abs), 0.001) * 1.05, LONGEST_REACH);
  const columnOf = (lift: number): number =>
    Math.round(((Math.max(-reach, Math.min(reach, lift)) + reach) / (2 * reach)) * (COLUMNS - 1));
  const zero = columnOf(0);
  const width = Math.max(...intervals.map(({ label }) => label.length));
  const lines = intervals.map(({ label, estimate, interval }) => {
    if (interval === null) return `${label.padEnd(width)}  too few units`;
    const [low, high] = interval;
    const from = columnOf(low ?? -reach);
    const to = columnOf(high ?? reach);
    const cells = Array.from({ length: COLUMNS }, (_, column): string =>
      column >= from && column <= to ? '─' : ' ',
    );
    cells[zero] = zero >= from && zero <= to ? '┼' : '│';
    cells[from] = low === null || low < -reach ? '◂' : '├';
    cells[to] = high === null || high > reach ? '▸' : '┤';
    if (estimate !== null) cells[columnOf(estimate)] = '●';
    return `${label.padEnd(width)}  ${cells.join('')}`.trimEnd();
  });
  const left = signedPercent(-reach);
  const right = signedPercent(reach);
  const axis = `${left.padEnd(zero)}0`.padEnd(COLUMNS - right.length) + right;
  return [...lines, `${''.padEnd(width)}  ${axis}`];
}

/** A lift of 200 %. */
const LONGEST_REACH = 2;

/** A lift as +1.2 %. */
export function signedPercent(lift: number): string {
  return `${lift < 0 ? '-' : '+'}${(Math.abs(lift) * 100).toFixed(1)} %`;
}
