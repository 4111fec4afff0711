import { describe, expect, test } from 'vitest';
import { unaccountedFor } from '../../bench/soak/accounting.ts';
import { soakWhole } from '../../bench/soak/whole.ts';
import { findRedis } from '../servers/redis-server.ts';

const found = await findRedis();

describe.skipIf(found.kind === 'missing')('the short form of `npm run soak:whole`', () => {
  test(
    'under load nobody sees swaps, edits, faults, nonsense, or Redis being killed',
    { timeout: 300_000 },
    async () => {
      const report = await soakWhole({
        seconds: 6,
        calibrationSeconds: 1,
        // Other tests run beside it, so what it carries now may be much less in a moment.
        share: 0.1,
        disturbEveryMs: 200,
        sampleEveryMs: 1000,
        redis: found.kind === 'found' ? found.program : '',
      });
      expect(unaccountedFor(report)).toEqual([]);
      expect(report.disturbed.size).toBe(10);
      expect(report.acknowledged).toBeGreaterThan(0);
    },
  );
});
