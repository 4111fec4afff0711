/**
 * Where a continuous function crosses zero between two points at which its signs differ (or one of them is zero).
 *
 * Source: T. R. Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
 * without using derivatives", Advances in Engineering Software 28 (1997).
 *
 * @param tolerance relative to the root, by default about what a double can tell apart
 * @throws RangeError when both ends have the same sign
 */
export function findRoot(
  f: (x: number) => number,
  from: number,
  to: number,
  tolerance = 4 * Number.EPSILON,
): number {
  let [a, b] = [from, to];
  let [fa, fb] = [f(a), f(b)];
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (fa > 0 === fb > 0) {
    throw new RangeError(`no sign change between ${a} (${fa}) and ${b} (${fb})`);
  }
  let step = 0.5;
  for (let round = 0; round < 200; round += 1) {
    const x = a + step * (b - a);
    const fx = f(x);
    // `b` stays on the other side of the root; `c` is the end that was left behind.
    const [c, fc] = fx > 0 === fa > 0 ? [a, fa] : [b, fb];
    if (fx > 0 !== fa > 0) [b, fb] = [a, fa];
    [a, fa] = [x, fx];

    const [best, fBest] = Math.abs(fa) < Math.abs(fb) ? [a, fa] : [b, fb];
    const limit = (tolerance * Math.max(Math.abs(best), Number.MIN_VALUE)) / Math.abs(b - a);
    if (fBest === 0 || limit > 0.5) return best;

    const xi = (a - b) / (c - b);
    const phi = (fa - fb) / (fc - fb);
    const quadratic = phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi;
    step = quadratic
      ? (fa / (fb - fa)) * (fc / (fb - fc)) + ((c - a) / (b - a)) * (fa / (fc - fa)) * (fb / (fc - fb))
      : 0.5;
    step = Math.min(1 - limit, Math.max(limit, step));
  }
  return a;
}
