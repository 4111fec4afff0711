import { writeSync } from 'node:fs';
import type { StateAddress } from '../../../experiments/stores/open-store.ts';
import { openStore } from '../../../experiments/stores/open-store.ts';
import { batch, exposure, outcome } from './samples.ts';

/**
 * A process that writes outcomes as fast as it can and tells each one that was acknowledged, until it is killed.
 * Arguments: the store's address as JSON, the experiment, and the number of the first outcome.
 */
const [address = '', name = '', first = '0'] = process.argv.slice(2);
const store = await openStore(JSON.parse(address) as StateAddress);
for (let number = Number(first); ; number += 4) {
  // Several at once, so that a kill finds some of them half-way.
  await Promise.all([0, 1, 2, 3].map((offset) => write(number + offset)));
}

async function write(number: number): Promise<void> {
  const unit = number.toString(16).padStart(16, '0');
  const one = { unit, uid: unit };
  if (number % 2 === 0) await store.recordExposures(batch(name, exposure(name, one)));
  const [status] = await store.recordOutcomes([outcome(name, one)]);
  writeSync(1, `${status ?? ''} ${number}\n`);
}
