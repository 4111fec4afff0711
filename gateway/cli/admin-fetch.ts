import { readFile } from 'node:fs/promises';
import type { Agent } from 'undici';

export interface AdminCall {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly redirect: 'error';
  readonly signal: AbortSignal;
}

/** What is read of an answer. */
export interface AdminResponse {
  readonly ok: boolean;
  readonly status: number;
  text(): Promise<string>;
}

/** The certificate can't be shown; nothing was sent. */
export class NoClientCertificate extends Error {}

/** Made once: a command that watches asks again and again. */
let certified: Promise<Agent> | undefined;

/**
 * `fetch`, with the certificate in SIGNALBOX_CERT where that is set: a control plane with `tls.admin.ca` answers nobody without one.
 *
 * @throws NoClientCertificate that names the file and what is wrong with it; what `fetch` throws
 */
export async function adminFetch(target: URL, call: AdminCall): Promise<AdminResponse> {
  const file = process.env.SIGNALBOX_CERT ?? '';
  if (file === '' || target.protocol !== 'https:') return fetch(target, call);
  const { fetch: fetchBy } = await import('undici');
  certified ??= agentWith(file, process.env.SIGNALBOX_CERT_KEY ?? '');
  return fetchBy(target, { ...call, dispatcher: await certified });
}

/** @param keyFile empty: the certificate's file has the key too */
async function agentWith(file: string, keyFile: string): Promise<Agent> {
  const cert = await readPem('SIGNALBOX_CERT', file);
  const key = keyFile === '' ? cert : await readPem('SIGNALBOX_CERT_KEY', keyFile);
  const [{ Agent }, { createSecureContext }] = await Promise.all([import('undici'), import('node:tls')]);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const where =
      keyFile === '' ? `${file} has no key that fits its certificate` : `${keyFile} is not its key`;
    throw new NoClientCertificate(`SIGNALBOX_CERT: ${file} can't be used (${messageOf(cause)}); ${where}`, {
      cause,
    });
  }
  return new Agent({ connect: { cert, key } });
}

async function readPem(name: string, file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new NoClientCertificate(`${name}: ${file} can't be read: ${messageOf(cause)}`, { cause });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
