/** Lines of columns as wide as their widest cell: the first ones to the left, numbers to the right. */
export function textTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  leftColumns = 1,
): readonly string[] {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return index < leftColumns ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return [line(columns), ...rows.map(line)];
}

/** A share as 12.3 %. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A number with four significant digits. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(4)));
}
