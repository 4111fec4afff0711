/** What a server is started with, as far as it needs it. */
export interface ServerQuestion {
  /** A `signalbox.yaml`. */
  readonly config?: string;
  /** Files of models. */
  readonly models?: readonly string[];
}

export interface ServerMeasure {
  /** The longest turn of the main thread's event loop, in milliseconds of that thread's own processor time. */
  readonly longestTurnMs: number;
  /** The same by the clock: with the time that other processes, or the machine's other guests, had the processor. */
  readonly longestTurnByClockMs: number;
  /** Processor time that the main thread used, in milliseconds. */
  readonly mainThreadMs: number;
  /** Rows a batch, on average; undefined for a server that doesn't batch. */
  readonly averageBatch: number | undefined;
}
