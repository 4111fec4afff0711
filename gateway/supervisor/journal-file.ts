import { randomUUID } from 'node:crypto';
import { ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readRunning } from '../../backends/onnx/run-journal.ts';

/** The journal of runs: a file without a name, so that nothing is left of it however the processes end. */
export class JournalFile {
  readonly fd: number;

  /** In memory where the system has a place for that; undefined, and a warning, where no file can be made. */
  static open(log: Logger): JournalFile | undefined {
    const reasons: string[] = [];
    for (const folder of ['/dev/shm', tmpdir()]) {
      const path = join(folder, `signalbox-${process.pid}-${randomUUID()}`);
      try {
        const fd = openSync(path, 'wx+', 0o600);
        unlinkSync(path);
        return new JournalFile(fd);
      } catch (error) {
        reasons.push(error instanceof Error ? error.message : String(error));
      }
    }
    log.warn(
      { reasons },
      'no journal of runs: a request that crashes the server again and again is not refused',
    );
    return undefined;
  }

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** What was running when the serving process ended; the next one finds the file empty. */
  take(): readonly string[] {
    const running = readRunning(this.fd);
    ftruncateSync(this.fd);
    return running;
  }
}
