import { describe, expect, test } from 'vitest';
import { Device } from '../../../backends/scheduling/device.ts';
import type { DeviceShare } from '../../../backends/scheduling/device.ts';

/** A version that always has work: it asks again whenever a run of it ends. */
class BusyVersion {
  readonly share: DeviceShare;
  readonly #runMs: number;
  runs = 0;

  constructor(device: Device, runMs: number, threads = 1, started: BusyVersion[] = []) {
    this.#runMs = runMs;
    this.share = device.share(threads, () => {
      if (this.share.acquire()) started.push(this);
    });
  }

  end(): void {
    this.runs += 1;
    this.share.release(this.#runMs);
  }

  get usedMs(): number {
    return this.runs * this.#runMs;
  }
}

/** Versions that always have work, on one thread; each time one ends, the next begins. */
function contend(device: Device, runMs: readonly number[], runs: number): readonly BusyVersion[] {
  const started: BusyVersion[] = [];
  const versions = runMs.map((ms) => new BusyVersion(device, ms, 1, started));
  for (const version of versions) if (version.share.acquire()) started.push(version);
  for (let run = 0; run < runs; run++) {
    const next = started.shift();
    if (next === undefined) throw new Error('the device stands still while versions have work');
    // It asks for its next run while this one still runs, as a batcher with two instances does.
    if (next.share.acquire()) started.push(next);
    next.end();
  }
  return versions;
}

test('while there is room, a permit is had at once', () => {
  const device = new Device(2);
  const share = device.share(1, () => undefined);
  expect([share.acquire(), share.acquire(), share.acquire()]).toEqual([true, true, false]);
  expect(device.free).toBe(0);
});

test('runs never use more threads than there are', () => {
  const device = new Device(4);
  const wide = device.share(3, () => undefined);
  const narrow = device.share(2, () => undefined);
  expect([wide.acquire(), narrow.acquire()]).toEqual([true, false]);
  wide.release(1);
  expect(device.free).toBe(2);
});

test('a version whose runs want more threads than there are gets all of them', () => {
  const device = new Device(2);
  const share = device.share(8, () => undefined);
  expect([share.acquire(), device.free]).toEqual([true, 0]);
});

describe('versions that always have work', () => {
  test('get equal shares of the time, though one has runs ten times as long', () => {
    const [short, long] = contend(new Device(1), [1, 10], 1100);
    expect(short?.usedMs).toBeGreaterThan(0.9 * (long?.usedMs ?? Infinity));
    expect(short?.usedMs).toBeLessThan(1.1 * (long?.usedMs ?? 0));
  });

  test('none is starved, however many there are', () => {
    const versions = contend(new Device(1), [5, 1, 1, 20, 3], 2000);
    const used = versions.map(({ usedMs }) => usedMs);
    expect(Math.min(...used)).toBeGreaterThan(0.9 * Math.max(...used));
  });
});

test('one that was idle starts level with the others: it has saved nothing up', () => {
  const device = new Device(1);
  const order: string[] = [];
  const shareOf = (name: string): DeviceShare =>
    device.share(1, () => {
      order.push(name);
    });
  const [busy, idle] = [shareOf('busy'), shareOf('idle')];
  for (let run = 0; run < 100; run++) {
    busy.acquire();
    busy.release(10);
  }
  busy.acquire();
  for (let turn = 0; turn < 3; turn++) {
    // Both ask while a run holds the device.
    idle.acquire();
    busy.acquire();
    const running = turn === 0 || order.at(-1) === 'busy' ? busy : idle;
    running.release(10);
    (order.at(-1) === 'busy' ? busy : idle).acquire();
  }
  expect(order).toEqual(['idle', 'busy', 'idle']);
});

test('a wide run is not starved by small ones', () => {
  const device = new Device(2);
  let wideRan = false;
  const wide = device.share(2, () => {
    wideRan = wide.acquire();
  });
  const small = device.share(1, () => undefined);
  small.acquire();
  small.acquire();
  expect(wide.acquire()).toBe(false);
  small.release(1);
  expect(small.acquire()).toBe(false);
  small.release(1);
  expect(wideRan).toBe(true);
});

test('what one has no use for any more goes to the next', () => {
  const device = new Device(1);
  let granted = '';
  const holder = device.share(1, () => undefined);
  const gone = device.share(1, () => {
    gone.decline();
  });
  const waits = device.share(1, () => {
    granted = 'waits';
  });
  holder.acquire();
  gone.acquire();
  waits.acquire();
  holder.release(5);
  expect(granted).toBe('waits');
});

test('one that waits for more threads than are free, and gives up, lets the others have them', () => {
  const device = new Device(2);
  let granted = false;
  const holder = device.share(1, () => undefined);
  const wide = device.share(2, () => undefined);
  const small = device.share(1, () => {
    granted = true;
  });
  holder.acquire();
  wide.acquire();
  small.acquire();
  expect(granted).toBe(false);
  wide.decline();
  expect(granted).toBe(true);
});
