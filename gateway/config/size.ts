const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** `64MiB` becomes 67108864. */
export function bytesOf(size: string): number {
  const unit = size.replace(/^[0-9]+/, '');
  return Number.parseInt(size, 10) * BYTES[unit as keyof typeof BYTES];
}
