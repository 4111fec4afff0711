import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import type { FastifyRequest } from 'fastify';
import { GatewayError } from '../../errors.ts';
import { bodyTooLarge } from '../body.ts';
import type { CallBody } from '../forwarded-call.ts';
import { fromFrameworkError } from '../framework-error.ts';

/** How the fields of a form that hold images may be named. */
export type FieldNames = readonly [string, ...string[]];

const FILE: FieldNames = ['file'];

/** The most files of a form, each of them a row of the batch; and the most fields of text. */
const MOST_FILES = 256;

/** What a field of text may have, as its parser is told. */
const MOST_FIELD_BYTES = 64 * 1024;

/** How forms are parsed, but for how long a file may be. */
export const FORM_LIMITS = {
  files: MOST_FILES,
  fields: MOST_FILES,
  fieldSize: MOST_FIELD_BYTES,
  headerPairs: 100,
};

/** A file need not have a name (RFC 7578, section 4.2): what says that it is an image is one. */
export function isPartAFile(
  _field: string | undefined,
  type: string | undefined,
  name: string | undefined,
): boolean {
  return name !== undefined || type === 'application/octet-stream' || type?.startsWith('image/') === true;
}

/**
 * The images of a request, in their order: the multipart fields of the right name, or the body itself.
 *
 * @param received the body, where it is no form
 * @throws GatewayError
 */
export async function readUploads(
  request: FastifyRequest,
  received: CallBody,
  limitBytes: number,
  fields = FILE,
): Promise<readonly Uint8Array[]> {
  if (!request.isMultipart()) {
    const body = await received.bytes();
    if (body === undefined || body.length === 0) {
      throw new GatewayError(
        'invalid_image',
        `the image is empty; send it as the body, or as the multipart field ${quoted(fields)}`,
      );
    }
    return [body];
  }
  try {
    // A compressed form is parsed as it was before.
    const isCompressed = request.headers['content-encoding'] !== undefined;
    const held = isCompressed ? await received.bytes() : received.held;
    return held === undefined
      ? await readParts(request, limitBytes, fields)
      : await readForm(request, held, fields);
  } catch (error) {
    throw error instanceof Error ? asRefusal(error) : error;
  }
}

async function readParts(
  request: FastifyRequest,
  limitBytes: number,
  fields: FieldNames,
): Promise<readonly Uint8Array[]> {
  // Also what is no file of it: a part that nobody wants is part of the body that was sent.
  const announced = request.headers['content-length'];
  if (Number(announced) > limitBytes) throw bodyTooLarge(String(announced), limitBytes);
  const files: Uint8Array[] = [];
  let bytes = 0;
  /** Counted as they come: how long a form or a part of it is need not be announced. */
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge(limitBytes);
    request.bodyHold?.receive(chunk.length);
  };
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') {
        // The parser keeps fields of text, whoever asks for them.
        request.bodyHold?.receive(typeof part.value === 'string' ? part.value.length : MOST_FIELD_BYTES);
        continue;
      }
      // The parser has no name where the part's head says none, whatever its type says.
      if (!fields.includes(part.fieldname)) throw misnamed(part.fieldname, fields);
      files.push(await readFile(part.file, count));
      if (part.file.truncated) throw tooLarge(limitBytes);
    }
  } catch (error) {
    // The rest of it passes unread.
    request.raw.unpipe();
    request.raw.resume();
    throw error;
  }
  if (files.length === 0) throw noFile(fields);
  return files;
}

async function readFile(file: Readable, count: (chunk: Buffer) => void): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of file as AsyncIterable<Buffer>) {
    count(chunk);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A form that was received already: because it may have to be sent to a server first, when it is small, or because it was compressed. */
function readForm(
  { headers }: FastifyRequest,
  held: Uint8Array,
  fields: FieldNames,
): Promise<readonly Uint8Array[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Uint8Array[]>();
  const damaged = (cause: unknown): void => {
    reject(damagedForm(cause instanceof Error ? cause.message : String(cause), cause));
  };
  const files: Buffer[][] = [];
  try {
    const form = new Busboy({
      headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
      limits: FORM_LIMITS,
      isPartAFile,
    });
    form
      .on('filesLimit', () => {
        reject(tooMany('files'));
      })
      .on('fieldsLimit', () => {
        reject(tooMany('fields of text'));
      });
    form.on('file', (name, file) => {
      const chunks: Buffer[] = [];
      if (fields.includes(name)) files.push(chunks);
      else reject(misnamed(name, fields));
      file.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', damaged);
    });
    form.on('error', damaged).on('finish', () => {
      if (files.length === 0) reject(noFile(fields));
      else resolve(files.map((chunks) => Buffer.concat(chunks)));
    });
    form.end(held);
  } catch (error) {
    damaged(error);
  }
  return promise;
}

/** The parser of forms has errors without a class or a status of their own for what breaks off or isn't formed as it says. */
function asRefusal(error: Error & { readonly code?: string }): GatewayError {
  if (error.code === 'FST_FILES_LIMIT' || error.code === 'FST_FIELDS_LIMIT') {
    return tooMany(error.code === 'FST_FILES_LIMIT' ? 'files' : 'fields of text', error);
  }
  return error.constructor === Error && !('statusCode' in error)
    ? damagedForm(error.message, error)
    : fromFrameworkError(error);
}

function tooMany(what: 'files' | 'fields of text', cause?: Error): GatewayError {
  const message = `the form has more than ${MOST_FILES} ${what}; send them in several requests`;
  return new GatewayError('body_too_large', message, { cause });
}

function damagedForm(reason: string, cause: unknown): GatewayError {
  return new GatewayError('invalid_request', `the multipart body is damaged: ${reason}`, { cause });
}

/** @param field undefined: its head says no name */
function misnamed(field: string | undefined, fields: FieldNames): GatewayError {
  const named = field === undefined ? 'has no name' : `is named "${field.slice(0, 64)}"`;
  return new GatewayError('invalid_request', `the multipart field ${named}; expected ${quoted(fields)}`);
}

function tooLarge(limitBytes: number): GatewayError {
  return new GatewayError('body_too_large', `the files have more than ${limitBytes} bytes together`);
}

function noFile(fields: FieldNames): GatewayError {
  return new GatewayError(
    'invalid_request',
    `the multipart body has no file; expected one in the field ${quoted(fields)}`,
  );
}

function quoted(fields: FieldNames): string {
  return fields.map((field) => `"${field}"`).join(' or ');
}
