import type { MirrorResult } from '../../experiments/results/mirror-results.ts';
import { figure, percent } from './text-table.ts';

/** Flips that are shown in a terminal. */
const SHOWN_FLIPS = 5;

/** For a terminal: what a shadow's answers have shown. */
export function mirrorLines(result: MirrorResult): readonly string[] {
  const { variant, mirror, compared, agreement, flips, difference, cosine, drift, computeMs } = result;
  const times = (['variant', 'mirror'] as const).flatMap((side) => {
    const known = computeMs[side];
    return known === null ? [] : `${result[side]} p50 ${figure(known.p50)} ms, p99 ${figure(known.p99)} ms`;
  });
  const amiss = [
    ...amounts('not sent', result.dropped),
    ...amounts('not answered', result.failed),
    ...amounts('NaN or infinite', { [variant]: result.nonFinite.variant, [mirror]: result.nonFinite.mirror }),
    ...amounts('another shape', { [mirror]: result.otherShape }),
  ];
  return [
    '',
    `mirror: ${compared} requests to ${variant} were copied to ${mirror}`,
    ...(agreement === null
      ? []
      : [
          `  the same class in ${percent(agreement.share)} of ${agreement.rows} rows` +
            (agreement.unitShare === null
              ? ''
              : `; of ${agreement.units} units ${percent(agreement.unitShare)}, always-valid interval ` +
                `${percent(agreement.interval[0])} to ${percent(agreement.interval[1])}`),
        ]),
    ...(flips.length === 0
      ? []
      : [
          `  flips: ${flips
            .slice(0, SHOWN_FLIPS)
            .map(({ from, to, rows }) => `${from} to ${to} ${rows}`)
            .join(', ')}${flips.length > SHOWN_FLIPS || result.otherFlips > 0 ? ', …' : ''}`,
        ]),
    ...(difference === null
      ? []
      : [
          `  scores differ by ${figure(difference.mean)} on average, by ${figure(difference.largest)} at most` +
            (cosine === null ? '' : `; cosine ${figure(cosine.mean)}, least ${figure(cosine.least)}`) +
            (drift === null ? '' : `; stability index ${figure(drift.psi)}`),
        ]),
    ...(times.length === 0 ? [] : [`  time in the model: ${times.join('; ')}`]),
    ...(amiss.length === 0 ? [] : [`  ${amiss.join('; ')}`]),
  ];
}

function amounts(what: string, counts: Readonly<Record<string, number>>): readonly string[] {
  const known = Object.entries(counts).filter(([, count]) => count > 0);
  return known.length === 0
    ? []
    : [`${what}: ${known.map(([name, count]) => `${name} ${count}`).join(', ')}`];
}
