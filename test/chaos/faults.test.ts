/** The short form of `npm run chaos`. */
import { describe, expect, test } from 'vitest';
import { FAULTS } from '../../bench/chaos/faults/all.ts';
import { certificateReplaced } from '../../bench/chaos/faults/certificate.ts';
import { idleConnections, slowloris } from '../../bench/chaos/faults/connections.ts';
import { processCrash, workerDeaths } from '../../bench/chaos/faults/crashes.ts';
import { redisRestarted } from '../../bench/chaos/faults/redis.ts';
import { SHORT } from '../../bench/chaos/finding.ts';
import type { Fault } from '../../bench/chaos/finding.ts';

/** Those whose parts have tests of their own: `worker-deaths`, `process-crash`, `slow-clients`, `running-config`. They are in the long form. */
const ELSEWHERE: ReadonlySet<Fault> = new Set([
  workerDeaths,
  processCrash,
  redisRestarted,
  certificateReplaced,
  idleConnections,
  slowloris,
]);

describe.skipIf(process.platform !== 'linux')(
  'nothing acknowledged is lost, and callers are answered again',
  () => {
    test.for(FAULTS.filter((fault) => !ELSEWHERE.has(fault)))(
      '$name',
      { timeout: 300_000 },
      async (fault, { skip }) => {
        const finding = await fault.run(SHORT);
        if (typeof finding === 'string') {
          if (process.env.CI === 'true') throw new Error(finding);
          skip(finding);
          return;
        }
        expect(finding.problems).toEqual([]);
      },
    );
  },
);
