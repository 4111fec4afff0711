/**
 * The small parent of the serving process: it holds the listening sockets and serves nothing itself, so that when native code
 * crashes the server the next one takes over what has arrived in the meantime.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Handover } from '../../backends/repository/handover.ts';
import { InvalidDocuments } from '../../documents/problem.ts';
import type { Config } from '../config/config.ts';
import type { LastGood } from '../last-good.ts';
import type { Environment } from '../config/interpolate.ts';
import type { Bound, Plane, Sockets } from '../server.ts';
import { bindSockets } from './bound-socket.ts';
import type { BoundSocket } from './bound-socket.ts';
import { CrashHistory } from './crash-history.ts';
import { JournalFile } from './journal-file.ts';
import type { FromChild, ToChild } from './messages.ts';
import { nodeFlags } from './node-flags.ts';
import { restartDelayMs } from './restart-delay.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));

/** A child's first free descriptor: 0 to 2 are the standard ones, 3 is the channel to its parent. */
const FIRST_DESCRIPTOR = 4;

/** What a child has beyond the drain deadline to end by itself. */
const LEAVE_MS = 1000;

/** The supervisor's child, and what is known of it. */
type State =
  | { readonly kind: 'starting'; readonly child: ChildProcess; readonly sinceMs: number }
  | { readonly kind: 'serving'; readonly child: ChildProcess }
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout; readonly sinceMs: number }
  /** The verdict is the exit code where it doesn't depend on how the child ends. */
  | {
      readonly kind: 'stopping';
      readonly deadline: NodeJS.Timeout | undefined;
      readonly verdict: 0 | 1 | undefined;
    }
  | { readonly kind: 'ended' };

/** Keeps a serving process alive until it is told to stop. */
export class Supervisor {
  #config: Config;
  readonly #environment: Environment;
  readonly #log: Logger;
  readonly #sockets: ReadonlyMap<Plane, readonly BoundSocket[]>;
  readonly #journal: JournalFile | undefined;
  readonly #crashes = new CrashHistory();
  readonly #firstReady = Promise.withResolvers<Bound | undefined>();
  readonly #ended = Promise.withResolvers<number>();
  /** What requests made of the models: it outlives the process that they were made to. */
  #handover: Handover | undefined;
  /** What is in force of the files that are followed, as the last process had it. */
  #lastGood: LastGood = {};
  #state: State;
  #wasReady = false;
  /** Children in a row that ended before they were ready. */
  #unready = 0;
  /** Why the child ends, where it is known before it does. */
  #cause: string | undefined;

  /** @throws Error where an address can't be bound */
  static async start(config: Config, log: Logger, environment: Environment): Promise<Supervisor> {
    const sockets = new Map<Plane, readonly BoundSocket[]>();
    try {
      for (const [plane, address] of Object.entries(config.listen)) {
        if (address !== undefined) sockets.set(plane as Plane, await bindSockets(address));
      }
    } catch (error) {
      closeAll(sockets);
      throw error;
    }
    return new Supervisor(config, log, environment, sockets);
  }

  private constructor(
    config: Config,
    log: Logger,
    environment: Environment,
    sockets: ReadonlyMap<Plane, readonly BoundSocket[]>,
  ) {
    this.#config = config;
    this.#environment = environment;
    this.#log = log;
    this.#sockets = sockets;
    this.#journal = JournalFile.open(log);
    this.#state = this.#spawn(performance.now());
  }

  /** Resolves with the planes' addresses at the first time that it serves, with nothing where it is stopped before; rejects where it never can. */
  get ready(): Promise<Bound | undefined> {
    return this.#firstReady.promise;
  }

  /** Resolves when it has stopped, with the exit code: 0 when all that was in flight was answered. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  /** Has the configuration's file and the certificates read again; resolves when that is done, or nobody is there to do it. */
  reload(): Promise<void> {
    return this.#ask({ kind: 'reload' }, 'reload_ended').then(() => undefined);
  }

  /** Whether what serves answers; while it is being started again, whether that goes on. */
  isAlive(): Promise<boolean> {
    return this.#state.kind === 'serving' ? this.#ask({ kind: 'ping' }, 'pong') : Promise.resolve(true);
  }

  /** @param graceMs how long calls are still taken while readiness fails */
  stop(graceMs: number): void {
    if (this.#state.kind === 'stopping' || this.#state.kind === 'ended') return;
    if (this.#state.kind === 'waiting') {
      clearTimeout(this.#state.timer);
      this.#end(0);
      return;
    }
    const { kind, child } = this.#state;
    // The child has its own hold on them; from now on nobody takes over what it leaves.
    closeAll(this.#sockets);
    const deadline = setTimeout(
      () => {
        this.#log.error('the server does not end by itself');
        this.#giveUp(child);
      },
      graceMs + this.#config.timeouts.drainMs + 2 * LEAVE_MS,
    );
    if (kind === 'serving') {
      this.#state = { kind: 'stopping', deadline, verdict: undefined };
      tell(child, { kind: 'stop', graceMs });
    } else {
      // It has nothing to answer, and may be loading a model, which can't be stopped in any other way.
      this.#state = { kind: 'stopping', deadline, verdict: 0 };
      child.kill('SIGKILL');
    }
  }

  /** @returns whether it said so before it ended; it is waited for without limit */
  #ask(question: ToChild, answer: FromChild['kind']): Promise<boolean> {
    if (this.#state.kind !== 'serving') return Promise.resolve(false);
    const { child } = this.#state;
    return new Promise((resolve) => {
      const settle = (said: boolean): void => {
        child.off('message', onMessage).off('exit', onExit);
        resolve(said);
      };
      const onMessage = (message: unknown): void => {
        if ((message as FromChild).kind === answer) settle(true);
      };
      const onExit = (): void => {
        settle(false);
      };
      child.on('message', onMessage).once('exit', onExit);
      tell(child, question);
    });
  }

  #spawn(sinceMs: number): State {
    const descriptors: number[] = [];
    const place = (fd: number): number => FIRST_DESCRIPTOR + descriptors.push(fd) - 1;
    const sockets: Sockets = Object.fromEntries(
      [...this.#sockets].map(([plane, bound]) => [plane, bound.map(({ fd }) => place(fd))]),
    );
    const journal = this.#journal === undefined ? undefined : place(this.#journal.fd);
    // What the child prints is no answer to whoever reads the ready line.
    const given = [...process.execArgv, this.#environment.NODE_OPTIONS ?? ''];
    const child = fork(CHILD, [], {
      execArgv: [...process.execArgv, ...nodeFlags(availableParallelism(), given)],
      stdio: ['ignore', 2, 2, 'ipc', ...descriptors],
      serialization: 'advanced',
    });
    child.on('message', (message) => {
      this.#hear(child, message as FromChild);
    });
    // Not at its exit: what it said last may not have been heard yet.
    child.once('close', (code, signal) => {
      this.#bury(signal ?? `exit code ${String(code)}`, code);
    });
    child.on('error', (error) => {
      // One that could not be started at all has no end of its own.
      if (child.pid === undefined) this.#bury(error.message, null);
    });
    const nowMs = Date.now();
    tell(child, {
      kind: 'start',
      config: this.#config,
      environment: this.#environment,
      sockets,
      journal,
      suspects: this.#crashes.suspects(nowMs),
      deaths: this.#crashes.deaths(nowMs),
      handover: this.#handover,
      lastGood: this.#wasReady ? this.#lastGood : undefined,
    });
    return { kind: 'starting', child, sinceMs };
  }

  #hear(child: ChildProcess, message: FromChild): void {
    switch (message.kind) {
      case 'ready':
        if (this.#state.kind !== 'starting') return;
        if (this.#wasReady) {
          const downMs = Math.round(performance.now() - this.#state.sinceMs);
          this.#log.info({ downMs }, 'the server is ready again');
        }
        this.#state = { kind: 'serving', child };
        this.#unready = 0;
        this.#wasReady = true;
        this.#firstReady.resolve(message.bound);
        break;
      case 'reloaded':
        this.#config = message.config;
        break;
      case 'handover':
        this.#handover = message.handover;
        break;
      case 'good':
        this.#lastGood = { ...this.#lastGood, ...message.changed };
        break;
      case 'refused':
        this.#cause = message.message;
        setTimeout(() => child.kill('SIGKILL'), LEAVE_MS).unref();
        // Before it was ever ready that is a mistake in what it was given, and nobody is helped by trying again.
        if (!this.#wasReady) this.#refuse(message);
        break;
      case 'hung':
        this.#cause = `all instances of model ${message.model} version ${message.version} hang`;
        child.kill('SIGKILL');
        break;
      case 'answered':
        this.#awaitEnd(child);
        break;
      case 'late':
        this.#log.error('the drain deadline has passed with calls unanswered');
        setTimeout(() => {
          this.#giveUp(child);
        }, LEAVE_MS).unref();
        break;
      case 'pong':
      case 'reload_ended':
      // Who asked hears it too.
    }
  }

  #refuse({ message, problems }: Extract<FromChild, { readonly kind: 'refused' }>): void {
    this.#firstReady.reject(problems.length > 0 ? new InvalidDocuments(problems) : new Error(message));
    this.#state = { kind: 'stopping', deadline: undefined, verdict: 1 };
  }

  /** Nobody waits for what keeps a child that has answered all: a thread in a run that hangs, which can't be ended in any other way. */
  #awaitEnd(child: ChildProcess): void {
    if (this.#state.kind !== 'stopping') return;
    const { deadline } = this.#state;
    clearTimeout(deadline);
    const patience = setTimeout(() => {
      if (this.#state.kind !== 'stopping') return;
      this.#log.warn('the server has answered all, and a run that hangs keeps it: it is killed');
      this.#state = { ...this.#state, verdict: 0 };
      child.kill('SIGKILL');
    }, LEAVE_MS);
    this.#state = { ...this.#state, deadline: patience };
  }

  /** Kills a child that didn't stop in time. */
  #giveUp(child: ChildProcess): void {
    if (this.#state.kind !== 'stopping') return;
    this.#state = { ...this.#state, verdict: 1 };
    child.kill('SIGKILL');
  }

  #bury(how: string, code: number | null): void {
    const state = this.#state;
    if (state.kind === 'stopping') {
      clearTimeout(state.deadline);
      this.#end(state.verdict ?? (code === 0 ? 0 : 1));
    }
    if (state.kind !== 'starting' && state.kind !== 'serving') return;
    const running = this.#journal?.take() ?? [];
    this.#crashes.record(running, Date.now());
    if (state.kind === 'starting') this.#unready += 1;
    const delayMs = restartDelayMs(this.#unready);
    const cause = this.#cause ?? how;
    this.#cause = undefined;
    this.#log.error({ cause, running: running.length, delayMs }, 'the server died and is started again');
    const sinceMs = state.kind === 'starting' ? state.sinceMs : performance.now();
    if (delayMs === 0) {
      this.#state = this.#spawn(sinceMs);
      return;
    }
    const timer = setTimeout(() => {
      this.#state = this.#spawn(sinceMs);
    }, delayMs);
    this.#state = { kind: 'waiting', timer, sinceMs };
  }

  #end(code: number): void {
    this.#state = { kind: 'ended' };
    closeAll(this.#sockets);
    this.#firstReady.resolve(undefined);
    this.#ended.resolve(code);
  }
}

function tell(child: ChildProcess, message: ToChild): void {
  // A child that is gone hears nothing; its end is told by itself.
  child.send(message, () => undefined);
}

function closeAll(sockets: ReadonlyMap<Plane, readonly BoundSocket[]>): void {
  for (const socket of [...sockets.values()].flat()) socket.close();
}
