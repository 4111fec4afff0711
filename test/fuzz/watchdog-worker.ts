import { parentPort, workerData } from 'node:worker_threads';

const { beats, silentMs } = workerData as { readonly beats: Int32Array; readonly silentMs: number };
let entry = '';
parentPort?.on('message', (name: string) => {
  entry = name;
});

let last = -1;
setInterval(() => {
  const now = Atomics.load(beats, 0);
  if (now === last) {
    process.stderr.write(
      `${entry}: input ${Atomics.load(beats, 1)} was not answered in ${silentMs / 1000} s\n`,
    );
    process.kill(process.pid, 'SIGKILL');
  }
  last = now;
}, silentMs);
