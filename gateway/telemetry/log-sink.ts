import { write, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { pino } from 'pino';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';

/** pino's number of the first level that is not routine: `warn`. */
const URGENT_FROM = 40;

/** What may wait to be written, in UTF-16 units: some ten thousand lines of access. */
const MOST_WAITING = 4 * 1024 ** 2;

/** Until a reader that had no room is tried again. */
const RETRY_MS = 10;

/** By this symbol pino knows that a stream wants to be told each line's level. */
const TELLS_LEVEL: unique symbol = Symbol.for('pino.metadata');

/**
 * Where the log goes: a file descriptor that nobody waits for. Routine lines are gathered until the event loop's turn ends, and while the
 * write before is under way, so that a line for each request costs far less than a call of the system each; the order of lines is
 * kept. A line from `warn` on is written at once, with all that came before it, so that a crash can't lose it. Where the reader is so slow
 * that too much waits, lines are dropped, routine ones first, and how many is said once there is room.
 */
export class LogSink {
  readonly [TELLS_LEVEL] = true;
  /** Set by pino before each line. */
  lastLevel = 0;

  readonly #fd: number;
  #waiting = '';
  #dropped = 0;
  #isUnderWay = false;
  #isScheduled = false;

  /** @param fd open for as long as the process lives */
  constructor(fd: number) {
    this.#fd = fd;
    process.once('exit', () => {
      this.flush();
    });
  }

  write(line: string): void {
    const isUrgent = this.lastLevel >= URGENT_FROM;
    if (this.#waiting.length > (isUrgent ? 2 * MOST_WAITING : MOST_WAITING)) {
      this.#dropped += 1;
      return;
    }
    this.#waiting += line;
    if (isUrgent && !this.#isUnderWay) this.flush();
    else if (!this.#isScheduled && !this.#isUnderWay) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#writeOn();
      });
    }
  }

  /** Writes all that waits before it returns; where the reader has no room, what it takes, and the rest when it has. */
  flush(): void {
    const bytes = this.#take();
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      // Where nobody reads there is nowhere to tell of it either.
      if (isFull(error) && !this.#isUnderWay) this.#writeFrom(bytes, at);
    }
  }

  #writeOn(): void {
    if (this.#isUnderWay) return;
    const bytes = this.#take();
    if (bytes.length > 0) this.#writeFrom(bytes, 0);
  }

  #writeFrom(bytes: Buffer, at: number): void {
    this.#isUnderWay = true;
    write(this.#fd, bytes, at, (error, written) => {
      const next = at + written;
      if (isFull(error)) {
        setTimeout(() => {
          this.#writeFrom(bytes, at);
        }, RETRY_MS).unref();
      } else if (error === null && next < bytes.length) this.#writeFrom(bytes, next);
      else {
        this.#isUnderWay = false;
        this.#writeOn();
      }
    });
  }

  #take(): Buffer {
    const dropped = this.#dropped === 0 ? '' : droppedLine(this.#dropped);
    const bytes = Buffer.from(`${this.#waiting}${dropped}`);
    this.#waiting = '';
    this.#dropped = 0;
    return bytes;
  }
}

/** Whether a pipe takes nothing now. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

function droppedLine(lines: number): string {
  const said = {
    level: URGENT_FROM,
    time: Date.now(),
    lines,
    msg: 'lines were dropped: the log is read too slowly',
  };
  return `${JSON.stringify(said)}\n`;
}

/** What every line says of the process. */
const BASE = { pid: process.pid, hostname: hostname() };

/** One for each descriptor, so that the lines of several logs keep apart. */
const SINKS_BY_DESCRIPTOR = new Map<number, LogSink>();

/** The sinks of the logs that were opened here. */
const SINKS = new WeakMap<Logger, LogSink>();

/** The log of a process that serves, on stderr. */
export function openLog({ logLevel }: Pick<Config, 'logLevel'>, fd = 2): Logger {
  const sink = SINKS_BY_DESCRIPTOR.get(fd) ?? new LogSink(fd);
  SINKS_BY_DESCRIPTOR.set(fd, sink);
  const log = pino({ level: logLevel, base: BASE }, sink);
  SINKS.set(log, sink);
  return log;
}

/**
 * Writes lines of level `info`, as `log.info(fields, message)` does, whose fields are plain values. Where the log is one of {@link openLog}
 * it goes past pino, which takes twice as long for it; a log of somebody else's may have formats and destinations of its own.
 */
export function routineLines(log: Logger, message: string): (fields: object) => void {
  const sink = SINKS.get(log);
  if (sink === undefined) {
    return (fields) => {
      log.info(fields, message);
    };
  }
  const level = log.levels.values.info ?? 0;
  const base = inner(BASE);
  const end = `,${inner({ msg: message })}}\n`;
  return (fields) => {
    if (!log.isLevelEnabled('info')) return;
    sink.lastLevel = level;
    sink.write(`{"level":${level},"time":${Date.now()},${base},${inner(fields)}${end}`);
  };
}

/** An object as JSON, without its braces. */
function inner(fields: object): string {
  return JSON.stringify(fields).slice(1, -1);
}
