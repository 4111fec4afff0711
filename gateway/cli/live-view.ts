import { setTimeout } from 'node:timers/promises';

const HOME_AND_CLEAR = '\u001b[H\u001b[J';

/**
 * Shows a text that changes until the process is interrupted. On a terminal it is drawn in place, with the time of the last
 * look; elsewhere each text that differs from the one before is printed after it.
 *
 * @param look the text now; a look that fails is told in its place, and tried again
 * @param form `lines`: a text is printed as it is, also on a terminal
 */
export async function watch(
  look: () => Promise<string>,
  everyMs: number,
  form: 'screen' | 'lines',
): Promise<void> {
  const interrupted = new AbortController();
  const stop = (): void => {
    interrupted.abort();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const isScreen = form === 'screen' && process.stdout.isTTY;
  let shown = '';
  while (!interrupted.signal.aborted) {
    const text = await look().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      // A line for machines is JSON or nothing.
      return form === 'lines' ? '' : `${message}\n`;
    });
    if (isScreen)
      process.stdout.write(`${HOME_AND_CLEAR}${text}\n${new Date().toISOString()}, Ctrl-C ends it\n`);
    else if (text !== shown) process.stdout.write(form === 'screen' && shown !== '' ? `\n${text}` : text);
    if (text !== '') shown = text;
    await setTimeout(everyMs, undefined, { signal: interrupted.signal }).catch(() => undefined);
  }
}
