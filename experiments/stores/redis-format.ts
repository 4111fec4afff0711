/** Where the state in Redis says how it is written. */
export const FORMAT_KEY = 'signalbox:{state}:format';

/** The form of all that is kept. A release that changes it counts up, and brings what an older one wrote forward. */
export const STATE_FORMAT = 1;

/** What is wrong with a state of that form, if anything is: a newer release's would be misread. */
export function newerFormat(found: number): string | undefined {
  return found <= STATE_FORMAT
    ? undefined
    : `was written by a newer release (its format is ${found}, this one knows ${STATE_FORMAT}); run that release`;
}
