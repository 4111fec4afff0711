import type { CrashSuspect, ProcessDeaths } from '../../backends/onnx/run-journal.ts';
import type { Handover } from '../../backends/repository/handover.ts';
import type { Problem } from '../../documents/problem.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/interpolate.ts';
import type { LastGood } from '../last-good.ts';
import type { Bound, Sockets } from '../server.ts';

/** What the serving process is started with. */
export interface StartMessage {
  readonly kind: 'start';
  /** As it was read once, at the very start: an edit that is being made can't break a restart. */
  readonly config: Config;
  /** What `${NAME}` stands for when the configuration is read again. */
  readonly environment: Environment;
  readonly sockets: Sockets;
  /** Descriptor of the journal of runs; undefined where no file could be made for it. */
  readonly journal: number | undefined;
  readonly suspects: readonly CrashSuspect[];
  /** The processes before it that crashed, by what they ran. */
  readonly deaths: readonly ProcessDeaths[];
  /** What requests made of the models in the process before; undefined: nothing, or there was none. */
  readonly handover: Handover | undefined;
  /** What was in force in a process before it, which served the same; undefined: there was none. */
  readonly lastGood: LastGood | undefined;
}

export type ToChild =
  | StartMessage
  /** Read the configuration's file and the certificates again. */
  | { readonly kind: 'reload' }
  /** Say that the event loop turns. */
  | { readonly kind: 'ping' }
  /** Fail readiness, go on for `graceMs`, answer what is in flight, and end. */
  | { readonly kind: 'stop'; readonly graceMs: number };

export type FromChild =
  | { readonly kind: 'ready'; readonly bound: Bound }
  /** Another configuration is in force: the next process is to start with it. */
  | { readonly kind: 'reloaded'; readonly config: Config }
  /** Requests have changed what the next process is to load. */
  | { readonly kind: 'handover'; readonly handover: Handover }
  /** Of a kind of the files that are followed, something else is in force. */
  | { readonly kind: 'good'; readonly changed: LastGood }
  /** What it was told to read again it has read, whatever came of it. */
  | { readonly kind: 'reload_ended' }
  | { readonly kind: 'pong' }
  /** It can't serve what it was given, and ends; the problems are those of files, where it is them. */
  | { readonly kind: 'refused'; readonly message: string; readonly problems: readonly Problem[] }
  /** All instances of a version hang; what could still be answered was, and it is to be replaced. */
  | { readonly kind: 'hung'; readonly model: string; readonly version: number }
  /** It has stopped, all that was in flight was answered, and it ends unless a run that hangs keeps it. */
  | { readonly kind: 'answered' }
  /** The drain deadline has passed with calls unanswered. */
  | { readonly kind: 'late' };
