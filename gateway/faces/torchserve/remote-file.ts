import { createWriteStream } from 'node:fs';
import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FoundFile } from '../../../backends/registration/find-file.ts';
import { makeIncomingFolder } from '../../../backends/registration/incoming-folder.ts';
import { RegistrationError, refused } from '../../../backends/registration/registration-error.ts';
import { isAllowed } from '../../config/allowed-urls.ts';
import type { AllowedUrls } from '../../config/allowed-urls.ts';

/** As much as an archive may unpack to. */
const MAX_FILE_BYTES = 8 * 1024 ** 3;

/** The longest that a file may take to come, in milliseconds. */
const TIMEOUT_MS = 15 * 60_000;

/** A file of another server, and what ends its stay here. */
export interface RemoteFile extends AsyncDisposable {
  readonly file: FoundFile;
  /** Its address without what may be a secret: a query often is one. */
  readonly shownUrl: string;
}

/** An address of another server; undefined for the path of a file in the repository. */
export function remoteUrl(url: string): URL | undefined {
  const parsed = /^https?:/i.test(url) ? URL.parse(url) : null;
  return parsed ?? undefined;
}

/** An address as it may be told: without its query, which often signs it, and without a user. */
export function shownUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/**
 * Fetches a file into a repository's folder, under a hidden name, which no look sees. No redirect is followed: it would lead to where
 * nobody allowed.
 *
 * @param root the repository's folder
 * @throws RegistrationError
 */
export async function fetchRemoteFile(url: URL, allowed: AllowedUrls, root: string): Promise<RemoteFile> {
  const shown = shownUrl(url);
  if (!isAllowed(url, allowed)) {
    throw new RegistrationError(
      'invalid',
      `url is "${shown.slice(0, 200)}", which begins with none of models.allowedUrls; expected the path of a file in the model repository, as "resnet.mar"`,
    );
  }
  const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  if (!/.\.(mar|onnx)$/.test(name)) {
    throw refused(
      `"${shown.slice(0, 200)}" names neither an ONNX model (.onnx) nor an archive of TorchServe's (.mar)`,
    );
  }
  const home = await realpath(root);
  const incoming = await makeIncomingFolder(home);
  const dispose = (): Promise<void> => rm(incoming, { recursive: true, force: true });
  try {
    const path = join(incoming, `file${name.slice(name.lastIndexOf('.'))}`);
    await download(url, shown, path);
    return { file: { root: home, path, name }, shownUrl: shown, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function download(url: URL, shown: string, path: string): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(url, { redirect: 'manual', signal, headers: { 'accept-encoding': 'identity' } });
  } catch (cause) {
    throw new RegistrationError('failed', `${shown} can't be fetched: ${reasonOf(cause)}`, { cause });
  }
  const { status, body } = response;
  if (status !== 200 || body === null) {
    await body?.cancel();
    const why = status >= 300 && status < 400 ? ', a redirect, and none is followed' : '';
    throw new RegistrationError('unknown_file', `${shown} answers with status ${status}${why}`);
  }
  try {
    await pipeline(Readable.fromWeb(body), new Bounded(shown), createWriteStream(path), { signal });
  } catch (cause) {
    if (cause instanceof RegistrationError) throw cause;
    throw new RegistrationError('failed', `${shown} can't be fetched: ${reasonOf(cause)}`, { cause });
  }
}

/** Breaks off what is longer than a file may be, whatever was announced. */
class Bounded extends Transform {
  readonly #shown: string;
  #bytes = 0;

  constructor(shown: string) {
    super();
    this.#shown = shown;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_FILE_BYTES) done(refused(`${this.#shown} is larger than ${MAX_FILE_BYTES} bytes`));
    else done(null, chunk);
  }
}

/** What `fetch` throws says why only in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
