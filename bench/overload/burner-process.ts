/** A process that uses the processor and does nothing with it: takes one job by message, and answers when it is over. */
export interface Burn {
  /** Of one core, 0 to 1. */
  readonly share: number;
  readonly seconds: number;
}

/** Between two turns; a process that answers requests has some thousand of them a second. */
const TURN_MS = 1;

process.once('message', ({ share, seconds }: Burn) => {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const turn = (): void => {
    const passedMs = performance.now() - startMs;
    for (;;) {
      const { user, system } = process.cpuUsage(startCpu);
      if ((user + system) / 1000 >= share * passedMs) break;
    }
    if (passedMs < seconds * 1000) setTimeout(turn, TURN_MS);
    else {
      process.send?.(null);
      process.disconnect();
    }
  };
  turn();
});
