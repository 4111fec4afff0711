/** Numbers uniform on [0, 1), the same for the same seed everywhere: sfc32 by Chris Doty-Humphrey (PractRand, public domain). */
export function seededRandom(seed: number): () => number {
  let [a, b, c, counter] = [seed | 0, 0x9e3779b9, 0x243f6a88, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 20; i += 1) next();
  return next;
}

/** A standard normal variate, by Box and Muller. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** How many successes come before the first failure at success probability `p`; the mean is p / (1 - p). */
export function geometric(random: () => number, p: number): number {
  return Math.floor(Math.log(1 - random()) / Math.log(p));
}
