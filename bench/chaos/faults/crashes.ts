import { soakDeaths } from '../../soak/soak-deaths.ts';
import type { Callers } from '../callers.ts';
import type { Fault } from '../finding.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { underFault } from '../under-fault.ts';

/** Requests between two deaths of workers. */
const REQUESTS_A_DEATH = 200;

export const workerDeaths: Fault = {
  name: 'worker threads die (out of memory)',
  async run({ workerDeaths: wanted }) {
    const { deaths, lost, mixed, answered, poisonStatuses } = await soakDeaths({
      deaths: wanted,
      requests: wanted * REQUESTS_A_DEATH,
    });
    const problems = [...lost, ...(mixed > 0 ? [`${mixed} answers were another caller's`] : [])];
    if (poisonStatuses.some((status) => status !== 500))
      problems.push(`requests that kill a worker got ${poisonStatuses.join(', ')}`);
    return {
      fault: this.name,
      saw: `${deaths} deaths under ${answered} answers; the request that kills gets a 500, nobody else sees any`,
      lost: `${lost.length} answers`,
      recovery: [],
      problems,
    };
  },
};

/** Callers that come while nobody serves wait, and are answered by the next process. */
const ANSWERED = {
  what: 'the next process answers',
  holds: (callers: Callers, overMs: number): boolean => callers.nextAnswerMs(overMs) < Infinity,
};

export const processCrash: Fault = {
  name: 'the serving process crashes (SIGSEGV)',
  async run() {
    await using gateway = await startGatewayProcess();
    return await underFault(this.name, gateway, {
      async strike() {
        process.kill(await gateway.childPid(), 'SIGSEGV');
      },
      whole: ANSWERED,
      mayEnd: ['reset'],
    });
  },
};

export const processKilled: Fault = {
  name: 'the serving process is killed (SIGKILL) again and again',
  async run({ kills }) {
    await using gateway = await startGatewayProcess();
    return await underFault(this.name, gateway, {
      async strike(callers) {
        for (let death = 1; death <= kills; death++) {
          process.kill(await gateway.childPid(), 'SIGKILL');
          if (death < kills) await callers.more(20);
        }
      },
      whole: ANSWERED,
      mayEnd: ['reset'],
    });
  },
};
