/** The experiment of the soak, as a file's text. @param weight of v2, in percent */
export function soakExperiment(weight: number): string {
  return JSON.stringify({
    key: 'soak-test',
    model: 'soak',
    status: 'running',
    control: 'v1',
    variants: [
      { name: 'v1', version: 1, weight: 100 - weight },
      { name: 'v2', version: 2, weight },
    ],
    metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
  });
}
