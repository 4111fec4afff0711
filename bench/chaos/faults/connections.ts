import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { Callers } from '../callers.ts';
import { until } from '../finding.ts';
import type { Fault, Finding, Scale } from '../finding.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import type { GatewayProcess } from '../gateway-process.ts';

/** Connections that are opened at once; more would only wait in the kernel's queue. */
const OPENED_AT_ONCE = 250;

/** A connection is opened in so much time on average, also on a busy machine: none is to be hung up on before all are there. */
const OPENED_WITHIN_MS = 2;

/** Between two bytes of a slowloris. */
const DRIP_EVERY_MS = 1000;

const timeouts = (ms: number): string =>
  `state: sqlite:./state.db\ntimeouts: { headers: ${ms}ms, body: ${ms}ms, keepAlive: ${ms}ms }\n`;

/** What the other side does with a connection once it is open. */
type Behaviour = (socket: Socket) => void;

/**
 * Opens many connections that are no use to anybody, and keeps them for as long as the gateway lets it. Others are to be answered
 * meanwhile, and everything is to be given back.
 */
async function underConnections(
  fault: string,
  { connections, idleMs }: Scale,
  behave: Behaviour,
): Promise<Finding | string> {
  await using gateway = await startGatewayProcess({ config: timeouts(idleMs) });
  await using callers = new Callers(gateway.url);
  await callers.more(200);
  const [descriptors, rss] = [await gateway.descriptors(), await gateway.rssBytes()];
  const sinceMs = performance.now();
  const sockets = new Set<Socket>();
  let most = 0;
  let mostRss = rss;
  for (let opened = 0; opened < connections; opened += OPENED_AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(OPENED_AT_ONCE, connections - opened) }, async () => {
        const socket = await opening(gateway);
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        behave(socket);
      }),
    );
    most = Math.max(most, sockets.size);
    mostRss = Math.max(mostRss, await gateway.rssBytes());
  }
  const openMs = performance.now();
  await until('every connection was hung up on', () => sockets.size === 0);
  const closedMs = performance.now();
  await callers.more(100);
  await callers.stop();
  const problems: string[] = [];
  for (const [end, count] of callers.ends(sinceMs)) {
    if (end !== 200) problems.push(`${count} calls of others ended with ${end}`);
  }
  // What was open before, and the callers' own connections.
  const left = (await gateway.descriptors()) - descriptors;
  if (left > 16) problems.push(`${left} descriptors were not given back`);
  const lost = await callers.lostOutcomes();
  if (lost > 0) problems.push(`${lost} acknowledged outcomes were lost`);
  const perConnection = (mostRss - rss) / Math.max(1, most) / 1024;
  return {
    fault,
    saw:
      `others: ${callers.saw(sinceMs)}; ${connections} opened in ${((openMs - sinceMs) / 1000).toFixed(1)} s, at most ${most} at once, ` +
      `${perConnection.toFixed(1)} KiB of memory each; all hung up on ${((closedMs - openMs) / 1000).toFixed(1)} s after the last`,
    lost: `${lost} of ${callers.acknowledged} acknowledged outcomes; no descriptor`,
    recovery: [{ what: 'connections given back', afterMs: closedMs - openMs }],
    problems,
  };
}

async function opening({ address }: GatewayProcess): Promise<Socket> {
  const [host = '', port] = address.split(':');
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  // Being hung up on is what it is for.
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

export const idleConnections: Fault = {
  name: 'idle connections (10,000 in the full run)',
  run: (scale) =>
    underConnections(
      idleConnections.name,
      { ...scale, idleMs: Math.max(scale.idleMs, scale.connections * OPENED_WITHIN_MS) },
      () => undefined,
    ),
};

export const slowloris: Fault = {
  name: 'slowloris: headers that trickle in',
  run: (scale) =>
    underConnections(slowloris.name, { ...scale, connections: scale.connections / 10 }, (socket) => {
      socket.write('POST /v2/models/adder/infer HTTP/1.1\r\nHost: a\r\nX-A: ');
      const dripping = setInterval(() => socket.write('a'), DRIP_EVERY_MS);
      socket.once('close', () => {
        clearInterval(dripping);
      });
    }),
};

export const halfClosed: Fault = {
  name: 'half-closed connections, in the middle of a body',
  run: (scale) =>
    underConnections(halfClosed.name, { ...scale, connections: scale.connections / 10 }, (socket) => {
      socket.end('POST /v2/models/adder/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{');
    }),
};
