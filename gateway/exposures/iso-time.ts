/** The second that was written last, and how it is written: most times that are logged lie in the same one as those before. */
let lastSecond = Number.NaN;
let written = '';

/** A time of milliseconds since 1970 as `Date.prototype.toISOString` writes it, in UTC. */
export function isoTime(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  if (second !== lastSecond) {
    // All but the milliseconds and the zone.
    written = new Date(second * 1000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  const ms = epochMs - second * 1000;
  return `${written}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}
