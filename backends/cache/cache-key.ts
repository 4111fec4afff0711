import { createHash, hash, subtle } from 'node:crypto';
import type { VersionDescription } from '../servable.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { KeyText } from './key-text.ts';

/**
 * What a version's answers depend on beside the request, as a sha256. Two versions never share one, not even where their files are the
 * same: an answer that one variant gave is never another's.
 */
export function cacheScope({
  model,
  version,
  digest,
  config,
}: Pick<VersionDescription, 'model' | 'version' | 'digest' | 'config'>): string {
  const { inputs, outputs, image } = config;
  return hash('sha256', JSON.stringify([model, version, digest, inputs, outputs, image]));
}

/** Parts from this size on are hashed on a thread of the platform's own: 64 MiB would hold the main thread for a tenth of a second. */
const OFFLOAD_FROM_BYTES = 1024 * 1024;

/**
 * The sha256 of all that an answer depends on, as hexadecimal: the scope, the wanted outputs in their order, and each input's name,
 * type, shape and bytes, whatever order the inputs came in. Every part has its length before it, so that two requests have one key
 * only where they are the same or SHA-256 collides, of which no case is known (one in 2^128 keys or so, by the birthday bound).
 *
 * @param wanted the names of the outputs; all of them where the request names none
 */
export function requestKey(
  scope: string,
  inputs: readonly Tensor[],
  wanted: readonly string[],
): string | Promise<string> {
  const text = KeyText.begin('tensors', scope);
  text.count(wanted.length);
  for (const name of wanted) text.word(name);
  text.count(inputs.length);
  const parts: Uint8Array[] = [];
  for (const tensor of inputs.length > 1 ? inputs.toSorted(byName) : inputs) {
    text.word(tensor.name);
    text.word(tensor.datatype);
    text.count(tensor.shape.length);
    for (const size of tensor.shape) text.count(size);
    const bytes = bytesOf(tensor);
    text.count(bytes.length);
    for (const part of bytes) {
      text.count(part.length);
      parts.push(part);
    }
  }
  return keyOf(text, parts);
}

/** The same of uploads, before they are decoded: they answer with all outputs. */
export function uploadKey(scope: string, files: readonly Uint8Array[]): string | Promise<string> {
  const text = KeyText.begin('files', scope);
  text.count(files.length);
  for (const file of files) text.count(file.length);
  return keyOf(text, files);
}

function byName(a: Tensor, b: Tensor): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Where there are large parts, each of those enters by its own sha256. */
function keyOf(head: KeyText, parts: readonly Uint8Array[]): string | Promise<string> {
  return parts.some(isLarge) ? keyOfLarge(head.copy(), parts) : hashOf(head, parts);
}

async function keyOfLarge(head: Uint8Array, parts: readonly Uint8Array[]): Promise<string> {
  const short: Uint8Array[] = [head];
  for (const part of parts) short.push(isLarge(part) ? await hashElsewhere(part) : part);
  return hashParts(short);
}

function isLarge(part: Uint8Array): boolean {
  return part.length >= OFFLOAD_FROM_BYTES;
}

/** One call over one piece of memory costs a quarter of a hash object that is told of piece after piece, where the pieces are small. */
function hashOf(head: KeyText, parts: readonly Uint8Array[]): string {
  for (const [index, part] of parts.entries()) {
    if (!head.add(part)) return hashParts([head.copy(), ...parts.slice(index)]);
  }
  return hash('sha256', head.bytes);
}

function hashParts(parts: readonly Uint8Array[]): string {
  const whole = createHash('sha256');
  for (const part of parts) whole.update(part);
  return whole.digest('hex');
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
