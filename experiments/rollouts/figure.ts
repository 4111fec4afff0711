/** A figure as people read it: three digits that say something, and no more. */
export function figure(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1000
    ? String(Math.round(value))
    : size >= 0.001
      ? String(Number(value.toPrecision(3)))
      : value.toExponential(1);
}

export function percent(share: number): string {
  return `${figure(100 * share)} %`;
}
