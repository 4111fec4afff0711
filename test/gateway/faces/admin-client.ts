import type { NewKey } from '../../../gateway/trust/api-key.ts';
import type { RunningGateway } from '../running-gateway.ts';

export interface Asked {
  readonly key?: NewKey;
  readonly method?: 'GET' | 'POST';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** Asks a gateway's control plane; with a body it posts, a text as it is and anything else as JSON. */
export async function askAdmin(
  gateway: RunningGateway,
  path: string,
  { key, body, method = body === undefined ? 'GET' : 'POST', headers = {} }: Asked = {},
): Promise<AdminAnswer> {
  const response = await fetch(`http://${gateway.server.bound.admin ?? ''}${path}`, {
    method,
    headers: { ...(key !== undefined && { authorization: `Bearer ${key.text}` }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, body: answer, headers: response.headers };
}

/** Gives a command to the experiment of `MEASURED_FILES`. */
export function command(
  gateway: RunningGateway,
  action: 'promote' | 'pause' | 'resume' | 'rollback',
  fields: Readonly<Record<string, unknown>> = {},
  asked: Asked = {},
): Promise<AdminAnswer> {
  const body = { reason: `a test asks for ${action}`, ...fields };
  return askAdmin(gateway, `/api/experiments/digits-cnn/${action}`, { ...asked, body });
}
