import type { WholeReport } from './whole.ts';

/** What the disturbances bring into the log at level error. */
const EXPECTED: readonly RegExp[] = [
  /^experiment file refused; the last good one stays$/,
  /^version failed to load$/,
  /^the state store is away/,
  // A version that comes while Redis is dead is told of later; an entry that is in this log only would be a loss.
  /^the audit log could not be written; this entry is kept on disk until it can be$/,
];

/** What of a soak no disturbance accounts for. */
export function unaccountedFor({
  predictions,
  outcomes,
  shed,
  wrong,
  left,
  lost,
  exitCode,
  errors,
}: WholeReport): readonly string[] {
  const refused = predictions.get(503) ?? 0;
  const others = [...predictions].filter(([end]) => end !== 200 && end !== 503);
  return [
    ...others.map(([end, count]) => `${count} predictions ended with ${end}`),
    // A machine that others use may carry less than it did, but each refusal has been counted as shed. So are those of the calls that disturb.
    ...(refused <= shed ? [] : [`${refused} predictions were refused with 503, and ${shed} shed`]),
    ...[...outcomes]
      .filter(([end]) => end !== 202)
      .map(([end, count]) => `${count} outcomes ended with ${end}`),
    ...(wrong === 0 ? [] : [`${wrong} answers were of no version`]),
    ...(left === 0 ? [] : [`${left} predictions were not sent: too many were under way`]),
    ...(lost === 0 ? [] : [`${lost} acknowledged outcomes were lost`]),
    ...(exitCode === 0 ? [] : [`it ended with ${String(exitCode)}`]),
    ...[...errors]
      .filter(([message]) => !EXPECTED.some((expected) => expected.test(message)))
      .map(([message, count]) => `${count} errors in the log: ${message}`),
  ];
}
