/** The serving process, as the supervisor starts it. */
import { InvalidDocuments } from '../../documents/problem.ts';
import { RunJournal } from '../../backends/onnx/run-journal.ts';
import { serve } from '../server.ts';
import type { Server } from '../server.ts';
import { openLog } from '../telemetry/log-sink.ts';
import type { FromChild, StartMessage, ToChild } from './messages.ts';

/** What calls to other models have, to be answered before a process whose instances hang is replaced. */
const LAST_ANSWERS_MS = 1000;

let server: Server | undefined;
let stopping = false;
/** It has let go of its parent itself, and ends when the loop is empty. */
let leaving = false;

// A terminal, or a service manager, signals the whole group; the parent is who decides.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);

process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'start':
      void start(message);
      break;
    case 'ping':
      send({ kind: 'pong' });
      break;
    case 'reload':
      if (!stopping) void reload();
      break;
    case 'stop':
      if (!stopping) void stop(message.graceMs);
  }
});

process.once('disconnect', () => {
  if (leaving) return;
  // The parent died. Before it serves, a model may be loading, and that can't be ended in any other way.
  if (server === undefined) endAtOnce();
  else
    void stop(0).then((clean) => {
      if (!clean) endAtOnce();
      // A thread in a run that hangs keeps the process, though nobody waits for it.
      else setTimeout(endAtOnce, LAST_ANSWERS_MS).unref();
    });
});

async function start(message: StartMessage): Promise<void> {
  const { config, environment, sockets, journal, suspects, deaths, handover, lastGood } = message;
  const log = openLog(config);
  try {
    server = await serve(config, log, {
      sockets,
      environment,
      lastGood,
      onGood: (changed) => {
        send({ kind: 'good', changed });
      },
      onReload: (reloaded) => {
        send({ kind: 'reloaded', config: reloaded });
      },
      handover,
      onHandover: (changed) => {
        send({ kind: 'handover', handover: changed });
      },
      ...(journal !== undefined && { journal: new RunJournal(journal, suspects, deaths) }),
      onAllHung: (model, version) => void replace(model, version),
    });
    send({ kind: 'ready', bound: server.bound });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const problems = error instanceof InvalidDocuments ? error.problems : [];
    stopping = true;
    send({ kind: 'refused', message: reason, problems }, leave);
  }
}

async function reload(): Promise<void> {
  await server?.reload();
  send({ kind: 'reload_ended' });
}

/** @returns whether all was answered before the drain deadline */
async function stop(graceMs: number): Promise<boolean> {
  stopping = true;
  const clean = (await server?.stop(graceMs)) ?? true;
  if (clean) {
    send({ kind: 'answered' }, leave);
  } else {
    process.exitCode = 1;
    send({ kind: 'late' });
  }
  return clean;
}

/** New connections wait for the next process, while the other models' callers get their answers. */
async function replace(model: string, version: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  await server?.stop(0, LAST_ANSWERS_MS);
  send({ kind: 'hung', model, version });
}

function send(message: FromChild, sent: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, sent);
}

/** Without the channel to the parent the loop is empty, and the process ends. */
function leave(): void {
  leaving = true;
  if (process.connected) process.disconnect();
}

/** Whatever else would end it aborts in the middle of a run, or waits for it. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}
