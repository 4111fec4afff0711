import { fetchWithCredentials } from '../fetch-with-credentials.ts';

/** The most that is read of an answer. */
const MAX_BYTES = 1024 * 1024;

/** What somebody outside answered. */
export interface OutsideAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Posts to somebody outside, and reads the answer, all within a time.
 *
 * @throws Error in plain words: it could not be reached, took too long or said too much
 */
export async function post(
  url: string,
  contentType: string,
  body: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<OutsideAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetchWithCredentials(url, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
      // An answer from elsewhere is not the one that was asked for.
      redirect: 'error',
      signal: AbortSignal.any([timeout, signal]),
    });
    return { status: response.status, text: await boundedText(response) };
  } catch (error) {
    if (timeout.aborted) throw new Error(`it took longer than ${timeoutMs / 1000} s`, { cause: error });
    const reason = error instanceof Error ? error : new Error(String(error));
    const inner = reason.cause instanceof Error ? reason.cause.message : reason.message;
    throw new Error(inner === '' ? 'it could not be reached' : inner, { cause: error });
  }
}

async function boundedText({ body }: Response): Promise<string> {
  if (body === null) return '';
  const stream: AsyncIterable<Uint8Array> = body;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error(`its answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
