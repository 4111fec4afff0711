import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { findServer } from './debian-server.ts';
import type { FoundServer } from './debian-server.ts';

export const findChromium = (): Promise<FoundServer> => findServer('chromium', 'chromium');

/** This machine under a name that a browser takes for another: what it keeps to TLS and localhost isn't there. */
export const ELSEWHERE = 'console.test';

/** A real Chromium without a window. */
export function startChromium(program: string): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    args: [
      `--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`,
      // Its sandbox doesn't work for root, as containers of tests are.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}
