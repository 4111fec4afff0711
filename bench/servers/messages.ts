/** What a server is started with, as far as it needs it. */
export interface ServerQuestion {
  /** A `signalbox.yaml`. */
  readonly config?: string;
  /** Files of models. */
  readonly models?: readonly string[];
  /** Several gateways in the one process. */
  readonly gateways?: readonly BenchedGateway[];
}

export interface BenchedGateway {
  /** A `signalbox.yaml`. */
  readonly config: string;
  /** Where its log goes; left out: warnings go to stderr. */
  readonly logFile?: string;
  /** It counts nothing: what counting costs is found by leaving it out. */
  readonly uncounted?: true;
}

/** Where one of them serves. */
export interface GatewayPorts {
  readonly port: number;
  readonly metricsPort: number;
}

/** What a server under test is told; it answers the questions among them. */
export type ServerMessage =
  /** What it has used and done since the last time it was asked: answered with a `ServerMeasure`. */
  | 'measure'
  /** To watch its event loop from now on, which costs it some percent of its throughput. */
  | 'watch'
  /** To stop that: answered with the `LongestTurn` of the time between. */
  | 'turns'
  | 'stop';

export interface ServerMeasure {
  /** Processor time that the main thread used, in milliseconds. */
  readonly mainThreadMs: number;
  /** Rows a batch, on average; undefined for a server that doesn't batch. */
  readonly averageBatch: number | undefined;
}

/** The longest turn of the main thread's event loop. */
export interface LongestTurn {
  /** In milliseconds of that thread's own processor time. */
  readonly ownMs: number;
  /** By the clock: with the time that other processes, or the machine's other guests, had the processor. */
  readonly byClockMs: number;
}
