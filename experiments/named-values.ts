/**
 * What a record has under a name that a file chose. Read by brackets it would have something under `constructor` and `toString` too, which every
 * object inherits.
 */
export function ownValue<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Several records of counts as one. */
export function addUp(
  records: readonly Readonly<Record<string, number>>[],
): Readonly<Record<string, number>> {
  const sums = new Map<string, number>();
  for (const record of records)
    for (const [name, count] of Object.entries(record)) sums.set(name, (sums.get(name) ?? 0) + count);
  return Object.fromEntries(sums);
}
