/** What a server is started with, as far as it needs it. */
export interface ServerQuestion {
  /** A `signalbox.yaml`. */
  readonly config?: string;
  /** Files of models. */
  readonly models?: readonly string[];
}

export interface ServerMeasure {
  /** The longest time the main thread's event loop was held, in milliseconds. */
  readonly longestHoldMs: number;
  /** Rows a batch, on average; undefined for a server that doesn't batch. */
  readonly averageBatch: number | undefined;
}
