import type { EventEmitter } from 'node:events';

/** The one expectation that is met: the server's part of it is done before a request gets here. */
const MET = /(?:^|\W)100-continue(?:$|\W)/i;

/**
 * What a caller expects that nobody here does, or undefined where there is none.
 *
 * Source: RFC 9110, section 10.1.1.
 *
 * @param expect the header
 */
export function whyUnmet(expect: string | undefined): string | undefined {
  if (expect === undefined || MET.test(expect)) return undefined;
  return `Expect is '${expect.slice(0, 64)}', which can't be met; only 100-continue can`;
}

/** Has requests with any expectation come as all others do: by itself the server answers them, in a form of its own. */
export function takeExpectations(server: EventEmitter): void {
  server.on('checkExpectation', (request: unknown, response: unknown) => {
    server.emit('request', request, response);
  });
}
