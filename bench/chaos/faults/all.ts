import type { Fault } from '../finding.ts';
import { certificateReplaced } from './certificate.ts';
import { clockJumps } from './clock-jumps.ts';
import { halfClosed, idleConnections, slowloris } from './connections.ts';
import { processCrash, processKilled, workerDeaths } from './crashes.ts';
import { eventLogFull, stateFull } from './disk-full.ts';
import { redisKilled, redisPaused, redisRestarted } from './redis.ts';
import { slowUpstream } from './slow-upstream.ts';

/** Every fault that is tried, in the order of the table. */
export const FAULTS: readonly Fault[] = [
  workerDeaths,
  processCrash,
  processKilled,
  redisKilled,
  redisPaused,
  redisRestarted,
  eventLogFull,
  stateFull,
  clockJumps,
  slowUpstream,
  certificateReplaced,
  idleConnections,
  slowloris,
  halfClosed,
];
