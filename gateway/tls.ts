import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from './config/config.ts';

/** What a plane shows its callers, and asks of them. PEM. */
export interface TlsCredentials {
  /** The certificate, followed by those it was issued with. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Issuers of callers' certificates: with them, callers must show one. */
  readonly ca: Buffer | undefined;
}

/**
 * Reads a plane's certificate and key.
 *
 * @param plane how messages name it
 * @throws Error where a file can't be read, or they don't belong together
 */
export async function readTls(plane: string, files: TlsFiles): Promise<TlsCredentials> {
  const read = async (key: keyof TlsFiles, file: string): Promise<Buffer> => {
    try {
      return await readFile(file);
    } catch (cause) {
      throw new Error(`tls.${plane}.${key}: ${file} can't be read: ${messageOf(cause)}`, { cause });
    }
  };
  const credentials: TlsCredentials = {
    cert: await read('cert', files.cert),
    key: await read('key', files.key),
    ca: files.ca === undefined ? undefined : await read('ca', files.ca),
  };
  try {
    createSecureContext(credentials);
  } catch (cause) {
    throw new Error(`tls.${plane}: ${files.cert} and ${files.key} can't be used: ${messageOf(cause)}`, {
      cause,
    });
  }
  return credentials;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
