import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { findServer } from './debian-server.ts';
import type { FoundServer } from './debian-server.ts';

export const findChromium = (): Promise<FoundServer> => findServer('chromium', 'chromium');

/** A real Chromium without a window. */
export function startChromium(program: string): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    // Its sandbox doesn't work for root, as containers of tests are.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}
