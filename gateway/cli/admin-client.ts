import { Option } from 'commander';
import { adminFault } from './admin-fault.ts';
import type { AdminFault } from './admin-fault.ts';
import { NoClientCertificate, adminFetch } from './admin-fetch.ts';
import type { AdminCall, AdminResponse } from './admin-fetch.ts';

/** Where the demo, and a configuration after the documentation's example, have their control plane. */
export const DEFAULT_ADMIN = 'http://127.0.0.1:8003';

/** A gateway that answers is there at once; results of many metrics take a moment. */
const TIMEOUT_MS = 10_000;

/** The option of every command that talks to a running gateway. */
export function adminOption(): Option {
  return new Option(
    '--admin <url>',
    "the gateway's control plane; the key comes from SIGNALBOX_KEY, a client's certificate from SIGNALBOX_CERT",
  )
    .env('SIGNALBOX_ADMIN')
    .default(DEFAULT_ADMIN);
}

/** No control plane was heard at the address, for the reason that the message says. */
export class AdminUnreachable extends Error {}

/** What is asked; left out: to see something. */
export interface AdminRequest {
  /** Left out: `POST` with a body, `GET` without. */
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Goes as JSON. */
  readonly body?: object;
  /** Names the call, so that the gateway takes it once however often it is sent. */
  readonly idempotencyKey?: string;
  /** For each try; left out: ten seconds. */
  readonly timeoutMs?: number;
}

/**
 * Asks a gateway's control plane, with the key in SIGNALBOX_KEY and the certificate in SIGNALBOX_CERT where they are set.
 *
 * @param url its address, as http://127.0.0.1:8003
 * @param path as `/api/experiments`
 * @param isWanted whether the answer is what the command can show
 * @param request left out: it only asks
 * @throws AdminUnreachable, Error with what the gateway says where it refuses
 */
export async function askAdmin<Answer>(
  url: string,
  path: string,
  isWanted: (answer: unknown) => answer is Answer,
  {
    body,
    idempotencyKey,
    method = body === undefined ? 'GET' : 'POST',
    timeoutMs = TIMEOUT_MS,
  }: AdminRequest = {},
): Promise<Answer> {
  const target = addressOf(url, path);
  const request: Omit<AdminCall, 'signal'> = {
    method,
    headers: {
      ...keyHeader(),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    // A key goes to the address that was named, and nowhere else.
    redirect: 'error',
  };
  const heard = await ask(url, target, request, timeoutMs);
  const isUnsure = 'fault' in heard && heard.fault.mayHaveArrived && method !== 'GET';
  // Under its name it is taken once, however often it arrives.
  const last = isUnsure && idempotencyKey !== undefined ? await ask(url, target, request, timeoutMs) : heard;
  if ('fault' in last) {
    const again =
      idempotencyKey === undefined
        ? 'look before you send it again'
        : `send it again with --idempotency-key ${idempotencyKey}, and it is carried out once`;
    const outcome = isUnsure ? `. It may have been carried out; ${again}` : '';
    throw new AdminUnreachable(`${last.fault.message}${outcome}`, { cause: last.cause });
  }
  const { response, answer } = last;
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${refusalIn(answer)}`);
  if (!isWanted(answer)) {
    throw new Error(`${url} is no control plane of this release: its answer to ${path} has another form`);
  }
  return answer;
}

/** The key in SIGNALBOX_KEY as a header; none where that is not set. */
export function keyHeader(): Readonly<Record<string, string>> {
  const key = process.env.SIGNALBOX_KEY ?? '';
  return key === '' ? {} : { authorization: `Bearer ${key}` };
}

type Heard =
  | { readonly response: AdminResponse; readonly answer: unknown }
  | { readonly fault: AdminFault; readonly cause: unknown };

async function ask(
  url: string,
  target: URL,
  request: Omit<AdminCall, 'signal'>,
  timeoutMs: number,
): Promise<Heard> {
  try {
    const response = await adminFetch(target, { ...request, signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    return { response, answer: parsed(text) };
  } catch (cause) {
    if (cause instanceof NoClientCertificate) throw cause;
    return { fault: adminFault(url, cause, timeoutMs), cause };
  }
}

/** @returns undefined for what is no JSON */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param path with its query; it goes behind the path that the address has, as a proxy in front may want */
function addressOf(url: string, path: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol))
    throw new Error(`--admin is ${JSON.stringify(url)}; expected an address as ${DEFAULT_ADMIN}`);
  const { pathname, search } = new URL(path, base);
  base.pathname = `${base.pathname.replace(/\/+$/, '')}${pathname}`;
  base.search = search;
  return base;
}

function refusalIn(answer: unknown): string {
  return isRecord(answer) && typeof answer.error === 'string' ? answer.error : 'it says nothing more';
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
