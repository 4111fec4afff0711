import { createHash, subtle } from 'node:crypto';
import type { Servable } from '../servable.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * What a version's answers depend on beside the request. Two versions never share one, not even where their files are the
 * same: an answer that one variant gave is never another's.
 */
export function cacheScope({
  model,
  version,
  digest,
  config,
}: Pick<Servable, 'model' | 'version' | 'digest' | 'config'>): string {
  return JSON.stringify([model, version, digest, config.inputs, config.outputs, config.image]);
}

/** Parts from this size on are hashed on a thread of the platform's own: 64 MiB would hold the main thread for a tenth of a second. */
const OFFLOAD_FROM_BYTES = 1024 * 1024;

/**
 * The sha256 of all that an answer depends on, as hexadecimal: the scope, the wanted outputs in their order, and each input's name,
 * type, shape and bytes, whatever order the inputs came in. Every part has its length before it, so that no two requests meet.
 *
 * @param wanted the names of the outputs; all of them where the request names none
 */
export function requestKey(
  scope: string,
  inputs: readonly Tensor[],
  wanted: readonly string[],
): string | Promise<string> {
  const sorted = inputs.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const parts = sorted.map((tensor) => ({ tensor, bytes: bytesOf(tensor) }));
  const head = parts.map(({ tensor: { name, datatype, shape }, bytes }) => [
    name,
    datatype,
    shape,
    bytes.map((part) => part.length),
  ]);
  return keyOf(
    ['tensors', scope, wanted, head],
    parts.flatMap(({ bytes }) => bytes),
  );
}

/** The same of uploads, before they are decoded: they answer with all outputs. */
export function uploadKey(scope: string, files: readonly Uint8Array[]): string | Promise<string> {
  return keyOf(['files', scope, files.map((file) => file.length)], files);
}

/** Where there are large parts, each of those enters by its own sha256. */
function keyOf(head: readonly unknown[], parts: readonly Uint8Array[]): string | Promise<string> {
  return parts.some(isLarge) ? keyOfLarge(head, parts) : hashOf(head, parts);
}

async function keyOfLarge(head: readonly unknown[], parts: readonly Uint8Array[]): Promise<string> {
  const short: Uint8Array[] = [];
  for (const part of parts) short.push(isLarge(part) ? await hashElsewhere(part) : part);
  return hashOf(head, short);
}

function isLarge(part: Uint8Array): boolean {
  return part.length >= OFFLOAD_FROM_BYTES;
}

function hashOf(head: readonly unknown[], parts: readonly Uint8Array[]): string {
  const text = JSON.stringify(head);
  const hash = createHash('sha256').update(`${text.length}:`).update(text);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

async function hashElsewhere(part: Uint8Array): Promise<Uint8Array> {
  // Web Crypto takes no memory that threads share.
  const own =
    part.buffer instanceof ArrayBuffer
      ? new Uint8Array(part.buffer, part.byteOffset, part.length)
      : Uint8Array.from(part);
  return new Uint8Array(await subtle.digest('SHA-256', own));
}

const encoder = new TextEncoder();

function bytesOf(tensor: Tensor): readonly Uint8Array[] {
  if (tensor.datatype === 'BYTES') {
    return tensor.data.map((element) => (typeof element === 'string' ? encoder.encode(element) : element));
  }
  const { buffer, byteOffset, byteLength } = tensor.data;
  return [new Uint8Array(buffer, byteOffset, byteLength)];
}
