import { Observable } from './observable.ts';

const STORED = 'signalbox.key';

/**
 * The key that the person signed in with, for as long as the tab is open. It is sent as a header, which no other page can have a browser do;
 * undefined: none was needed, or none is known yet.
 */
export const key = new Observable(sessionStorage.getItem(STORED) ?? undefined);

export function signIn(text: string): void {
  sessionStorage.setItem(STORED, text);
  key.set(text);
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  key.set(undefined);
}

/** What the control plane answers that is not 2xx. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks the control plane.
 *
 * @param path relative to `/api/`
 * @throws Refused with the gateway's own words; TypeError where it can't be reached
 */
export async function ask<Answer>(path: string, options: AskOptions = {}): Promise<Answer> {
  const response = await send(path, options);
  return (await response.json()) as Answer;
}

export interface AskOptions {
  /** Sent by POST; left out: GET. */
  readonly body?: object | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Names what is asked, so that asking it twice does it once. */
  readonly requestKey?: string | undefined;
}

/** `crypto.randomUUID` is there only over TLS and at localhost; this is there everywhere. */
export function newRequestKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

/** @throws Refused, TypeError */
export async function send(path: string, { body, signal, requestKey }: AskOptions = {}): Promise<Response> {
  const response = await fetch(`../api/${path}`, {
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    headers: {
      ...(key.value !== undefined && { authorization: `Bearer ${key.value}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(requestKey !== undefined && { 'idempotency-key': requestKey }),
    },
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
    ...(signal !== undefined && { signal }),
  });
  if (!response.ok) throw new Refused(response.status, await wordsOf(response));
  return response;
}

async function wordsOf(response: Response): Promise<string> {
  const answer: unknown = await response.json().catch(() => undefined);
  const isWords = typeof answer === 'object' && answer !== null && 'error' in answer;
  return isWords && typeof answer.error === 'string' ? answer.error : `it answers ${response.status}`;
}
