/** Abscissae above zero and weights of the 16-point Gauss-Legendre rule on [-1, 1]. Source: Abramowitz and Stegun 25.4.30, table 25.4. */
const POINTS: readonly (readonly [x: number, weight: number])[] = [
  [0.09501250983763744, 0.1894506104550685],
  [0.2816035507792589, 0.18260341504492358],
  [0.45801677765722737, 0.16915651939500254],
  [0.6178762444026438, 0.14959598881657674],
  [0.755404408355003, 0.12462897125553388],
  [0.8656312023878318, 0.09515851168249279],
  [0.9445750230732326, 0.062253523938647894],
  [0.9894009349916499, 0.027152459411754096],
];

/** The integral of a smooth function, by the Gauss-Legendre rule on `panels` equal parts. */
export function integrate(f: (x: number) => number, from: number, to: number, panels: number): number {
  const half = (to - from) / (2 * panels);
  let sum = 0;
  for (let panel = 0; panel < panels; panel += 1) {
    const centre = from + (2 * panel + 1) * half;
    for (const [x, weight] of POINTS) sum += weight * (f(centre - half * x) + f(centre + half * x));
  }
  return sum * half;
}
