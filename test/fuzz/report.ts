import type { Report } from './campaign.ts';

/** Memory that a campaign may have taken by its end, beyond what it had a fifth of the way there. */
export const MAX_GROWTH_BYTES = 64 * 1024 ** 2;

export function isClean({ findings, growthBytes }: Report): boolean {
  return findings.length === 0 && growthBytes <= MAX_GROWTH_BYTES;
}

/** A report as a line, and the first of its findings under it. */
export function reportText(report: Report): string {
  const { entry, inputs, accepted, refused, slowestMs, seconds, growthBytes, findings, seed } = report;
  const refusals = Object.entries(refused)
    .sort(([, a], [, b]) => b - a)
    .map(([as, count]) => `${as} ${count}`)
    .join(', ');
  const line =
    `${entry.padEnd(20)} ${String(inputs).padStart(8)} inputs  ${String(accepted).padStart(8)} accepted  ` +
    `slowest ${slowestMs.toFixed(0)} ms  ${seconds.toFixed(0)} s  memory ${(growthBytes / 1024 ** 2).toFixed(1)} MiB  ` +
    `${findings.length} findings  (${refusals})`;
  const told = findings
    .slice(0, 5)
    .map(
      ({ index, reason, input }) =>
        `  --seed ${seed} --only ${entry} --from ${index} --inputs 1\n    ${reason.slice(0, 600).replaceAll('\n', '\n    ')}\n    ${input.toString('base64').slice(0, 1000)}`,
    );
  return [line, ...told].join('\n');
}
