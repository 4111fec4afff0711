import { Option } from 'commander';

/** Where the demo, and a configuration after the documentation's example, have their control plane. */
export const DEFAULT_ADMIN = 'http://127.0.0.1:8003';

/** A gateway that answers is there at once; results of many metrics take a moment. */
const TIMEOUT_MS = 10_000;

/** The option of every command that talks to a running gateway. */
export function adminOption(): Option {
  return new Option('--admin <url>', "the gateway's control plane; the key comes from SIGNALBOX_KEY")
    .env('SIGNALBOX_ADMIN')
    .default(DEFAULT_ADMIN);
}

/** No control plane answers at the address. */
export class AdminUnreachable extends Error {}

/** What is asked; left out: to see something. */
export interface AdminRequest {
  /** Left out: `POST` with a body, `GET` without. */
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Goes as JSON. */
  readonly body?: object;
  /** Names the call, so that the gateway takes it once however often it is sent. */
  readonly idempotencyKey?: string;
}

/**
 * Asks a gateway's control plane, with the key in SIGNALBOX_KEY where that is set.
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
  { body, idempotencyKey, method = body === undefined ? 'GET' : 'POST' }: AdminRequest = {},
): Promise<Answer> {
  const key = process.env.SIGNALBOX_KEY ?? '';
  const target = addressOf(url, path);
  let response: Response;
  try {
    response = await fetch(target, {
      method,
      headers: {
        ...(key !== '' && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // A key goes to the address that was named, and nowhere else.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new AdminUnreachable(
      `no control plane answers at ${url}; set listen.admin in its configuration, or name another with --admin`,
      { cause },
    );
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${refusalIn(answer)}`);
  if (!isWanted(answer)) {
    throw new Error(`${url} is no control plane of this release: its answer to ${path} has another form`);
  }
  return answer;
}

function addressOf(url: string, path: string): URL {
  try {
    return new URL(path, url);
  } catch (cause) {
    throw new Error(`no control plane answers at ${url}; expected an address as ${DEFAULT_ADMIN}`, { cause });
  }
}

function refusalIn(answer: unknown): string {
  return isRecord(answer) && typeof answer.error === 'string' ? answer.error : 'it says nothing more';
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
