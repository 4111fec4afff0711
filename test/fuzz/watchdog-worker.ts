import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { RESTING } from './watchdog.ts';

const { beats, silentMs } = workerData as { readonly beats: Int32Array; readonly silentMs: number };
let entry = '';
parentPort?.on('message', (name: string) => {
  entry = name;
});

let last: number = RESTING;
setInterval(() => {
  const now = Atomics.load(beats, 0);
  if (now === last && now !== RESTING) {
    // The streams of a worker go through the thread that is stuck.
    writeSync(2, `${entry}: input ${Atomics.load(beats, 1)} was not answered in ${silentMs / 1000} s\n`);
    process.kill(process.pid, 'SIGKILL');
  }
  last = now;
}, silentMs);
