import { Observable } from '../observable.ts';
import { key, newRequestKey, Refused, send } from '../session.ts';
import type { Hello, ModelShape, OverviewShape, ResultsShape } from '../shapes.ts';
import { EventText, NoEvent } from './event-text.ts';
import type { SentEvent } from './event-text.ts';
import { Tabs } from './tabs.ts';

/** How the console stands with the gateway. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** It was lost, or never there; it is tried again by itself. */
  | { readonly kind: 'lost'; readonly sinceMs: number; readonly why: string }
  /** It needs a key, or another one. */
  | { readonly kind: 'denied'; readonly status: number; readonly message: string };

export interface LatestResults {
  readonly atMs: number;
  readonly results: ResultsShape;
}

export const connection = new Observable<Connection>({ kind: 'connecting' });
export const hello = new Observable<Hello | undefined>(undefined);
export const experiments = new Observable<readonly OverviewShape[] | undefined>(undefined);
export const models = new Observable<readonly ModelShape[] | undefined>(undefined);
/** Entries of the audit log. */
export const audited = new Observable<number | undefined>(undefined);
/** Of the experiment that is watched. */
export const results = new Observable<LatestResults | undefined>(undefined);
/** Why results can't be had at the moment. */
export const fault = new Observable<string | undefined>(undefined);

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** A tab that nobody sees for so long keeps no connection. */
const HIDDEN_MS = 5000;

/**
 * Under HTTP/1.1 a browser opens six connections to an address, for all its tabs and windows together. Where more of them want the events than
 * leave two for what is asked, they take turns, and keep three on average.
 */
const MOST_STREAMS = 4;
const ON_AVERAGE = 3;

/** A turn goes on for so long after what there is has come. */
const TURN_MS = 1000;

/** Signs of life that may be missing before the connection counts as dead. */
const MISSED_BEATS = 2.5;

let watched: string | undefined;
let current: AbortController | undefined;
let waitMs = FIRST_WAIT_MS;
let timer: number | undefined;
let hiding: number | undefined;
let turn: number | undefined;

const tabs = new Tabs(new BroadcastChannel('signalbox.console'), newRequestKey());
tabs.count.listen(endTurnLater);

/** Follows another experiment from now on; undefined: none. */
export function watch(experiment: string | undefined): void {
  if (experiment === watched && current !== undefined) return;
  if (experiment !== watched) {
    results.set(undefined);
    fault.set(undefined);
  }
  watched = experiment;
  reconnect();
}

/** Tries at once. */
export function reconnect(): void {
  disconnect();
  tabs.enter();
  const controller = new AbortController();
  current = controller;
  void follow(controller);
}

function disconnect(): void {
  clearTimeout(timer);
  clearTimeout(turn);
  current?.abort();
  current = undefined;
}

/** Leaves the connection to others for a while, where they want one. */
function endTurnLater(): void {
  clearTimeout(turn);
  if (tabs.count.value > MOST_STREAMS) turn = setTimeout(endTurn, aboutMs(TURN_MS));
}

function endTurn(): void {
  if (current === undefined || connection.value.kind !== 'live') return;
  disconnect();
  timer = setTimeout(reconnect, aboutMs(TURN_MS * (tabs.count.value / ON_AVERAGE - 1)));
}

/** Not all tabs at the same moment. */
function aboutMs(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}

key.listen(() => {
  connection.set({ kind: 'connecting' });
  hello.set(undefined);
  experiments.set(undefined);
  models.set(undefined);
  audited.set(undefined);
  results.set(undefined);
  reconnect();
});

addEventListener('online', reconnect);
addEventListener('offline', () => {
  lose('this device is offline');
});
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => {
      disconnect();
      tabs.leave();
    }, HIDDEN_MS);
  } else if (current === undefined) reconnect();
});
addEventListener('pagehide', () => {
  tabs.leave();
});

async function follow(controller: AbortController): Promise<void> {
  const { signal } = controller;
  const query = watched === undefined ? '' : `?experiment=${encodeURIComponent(watched)}`;
  let dead: number | undefined;
  try {
    const response = await send(`events${query}`, { signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) throw new TypeError('it sent nothing');
    connection.set({ kind: 'live' });
    waitMs = FIRST_WAIT_MS;
    const text = new EventText();
    for (;;) {
      clearTimeout(dead);
      dead = setTimeout(
        () => {
          controller.abort(new TypeError('it has gone silent'));
        },
        MISSED_BEATS * (hello.value?.beatMs ?? 15_000),
      );
      const { done, value } = await reader.read();
      if (done) break;
      for (const event of text.take(value)) receive(event);
    }
    throw new TypeError('it ended the connection');
  } catch (error) {
    // Another connection has taken its place.
    if (current !== controller) return;
    if (error instanceof Refused && (error.status === 401 || error.status === 403))
      connection.set({ kind: 'denied', status: error.status, message: error.message });
    else
      lose(
        error instanceof Refused || error instanceof NoEvent ? error.message : 'the gateway can’t be reached',
      );
  } finally {
    clearTimeout(dead);
  }
}

function lose(why: string): void {
  const { value } = connection;
  connection.set({ kind: 'lost', sinceMs: value.kind === 'lost' ? value.sinceMs : Date.now(), why });
  clearTimeout(timer);
  timer = setTimeout(reconnect, aboutMs(waitMs));
  waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
}

function receive({ name, data }: SentEvent): void {
  // The page and the gateway are of one release: the bundle is served by it.
  const told = data as { readonly data: never; readonly atMs: number };
  switch (name) {
    case 'hello':
      hello.set(data as Hello);
      break;
    case 'experiments':
      experiments.set(told.data);
      endTurnLater();
      break;
    case 'models':
      models.set(told.data);
      break;
    case 'audit':
      audited.set((told.data as { readonly length: number }).length);
      break;
    case 'results':
      fault.set(undefined);
      results.set({ atMs: told.atMs, results: told.data });
      break;
    case 'fault':
      fault.set((told.data as { readonly message: string }).message);
      break;
  }
}
