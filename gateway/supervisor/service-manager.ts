import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import type { Environment } from '../config/interpolate.ts';

const execute = promisify(execFile);

/** systemd's own program: Node has no datagram sockets of Unix, which is what it listens on. */
const PROGRAM = 'systemd-notify';

/** A manager that doesn't listen is not waited for. */
const LONGEST_MS = 5000;

/**
 * Tells the service manager how the service is, where it asks to be told (`Type=notify`).
 *
 * Source: sd_notify(3), systemd-notify(1). The message comes from a process of its own, so the unit needs `NotifyAccess=all`.
 */
export class ServiceManager {
  readonly #log: Logger;
  /** Microseconds by which it has to hear of the service again and again; undefined: it doesn't ask for that. */
  readonly #watchdogUs: number | undefined;
  /** Messages arrive in their order. */
  #told: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** The last message could not be sent, which was logged. */
  #isUnheard = false;
  /** There is nothing to tell it by. */
  #isMute = false;

  /** @returns undefined where no service manager asks to be told */
  static of(environment: Environment, log: Logger): ServiceManager | undefined {
    return (environment.NOTIFY_SOCKET ?? '') === '' ? undefined : new ServiceManager(environment, log);
  }

  private constructor({ WATCHDOG_USEC, WATCHDOG_PID }: Environment, log: Logger) {
    this.#log = log;
    const isMeant = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
    const us = Number(WATCHDOG_USEC);
    this.#watchdogUs = isMeant && us > 0 ? us : undefined;
  }

  /**
   * It serves.
   *
   * @param status one line that `systemctl status` shows
   * @param isAlive asked twice within each period of the watchdog; who doesn't answer is started again
   */
  ready(status: string, isAlive: () => Promise<boolean>): void {
    void this.#tell('READY=1', `STATUS=${status}`);
    if (this.#watchdogUs !== undefined && this.#timer === undefined) this.#watch(isAlive, this.#watchdogUs);
  }

  /** It takes up changes, and is {@link reloaded} then. */
  reloading(): void {
    // What systemd tells one reload from the next by: its own clock, which is Node's too.
    void this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  reloaded(): void {
    void this.#tell('READY=1');
  }

  /** It ends; resolves when that is told. */
  stopping(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#tell('STOPPING=1', 'STATUS=answering what is in flight');
  }

  #watch(isAlive: () => Promise<boolean>, us: number): void {
    this.#timer = setTimeout(() => {
      void isAlive().then(async (alive) => {
        // Where a message takes long, no more of them gather behind it.
        if (alive && this.#timer !== undefined) await this.#tell('WATCHDOG=1');
        if (this.#timer !== undefined) this.#watch(isAlive, us);
      });
    }, us / 2000);
    this.#timer.unref();
  }

  #tell(...assignments: readonly string[]): Promise<void> {
    this.#told = this.#told.then(async () => {
      if (this.#isMute) return;
      try {
        await execute(PROGRAM, assignments, { timeout: LONGEST_MS });
        this.#isUnheard = false;
      } catch (error) {
        // A message that came too late on a busy machine is no reason to be silent from then on: the manager would end what serves.
        this.#isMute = isMissing(error);
        if (this.#isUnheard) return;
        this.#isUnheard = true;
        const fault = error instanceof Error ? error.message : String(error);
        this.#log.error(
          { fault },
          'the service manager could not be told: systemd-notify has to be on the PATH, and NotifyAccess=all in the unit',
        );
      }
    });
    return this.#told;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
