import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../../errors.ts';
import { fromFrameworkError } from '../framework-error.ts';

/**
 * The images of a request, in their order: the multipart fields named `file`, or the body itself.
 *
 * @throws GatewayError
 */
export async function readUploads(
  request: FastifyRequest,
  limitBytes: number,
): Promise<readonly Uint8Array[]> {
  if (!request.isMultipart()) {
    const body = request.body as Uint8Array | undefined;
    if (body === undefined || body.length === 0) {
      throw new GatewayError(
        'invalid_image',
        'the image is empty; send it as the body, or as the multipart field "file"',
      );
    }
    return [body];
  }
  try {
    return await readParts(request, limitBytes);
  } catch (error) {
    throw error instanceof Error ? fromFrameworkError(error) : error;
  }
}

async function readParts(request: FastifyRequest, limitBytes: number): Promise<readonly Uint8Array[]> {
  const files: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request.parts()) {
    if (part.type !== 'file') continue;
    if (part.fieldname !== 'file') {
      part.file.resume();
      throw new GatewayError(
        'invalid_request',
        `the multipart field is named "${part.fieldname.slice(0, 64)}"; expected "file"`,
      );
    }
    const file = await part.toBuffer();
    bytes += file.length;
    if (bytes > limitBytes) {
      throw new GatewayError('body_too_large', `the files have more than ${limitBytes} bytes together`);
    }
    files.push(file);
  }
  if (files.length === 0) {
    throw new GatewayError(
      'invalid_request',
      'the multipart body has no file; expected one in the field "file"',
    );
  }
  return files;
}
