import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mountSmallDisk } from '../../../test/servers/small-disk.ts';
import { pause, until } from '../finding.ts';
import type { Fault } from '../finding.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { underFault } from '../under-fault.ts';

const NO_DISK = 'a small disk has to be mounted for it, which this user may not';

export const eventLogFull: Fault = {
  name: 'the disk of the event log is full, and has room again',
  async run({ faultMs }) {
    const disk = await mountSmallDisk(4096);
    if (disk === undefined) return NO_DISK;
    await using room = disk;
    const file = join(room.path, 'exposures.jsonl');
    await using gateway = await startGatewayProcess({
      config: `state: sqlite:./state.db\ntelemetry: { events: { file: ${JSON.stringify(file)} } }\n`,
    });
    let bytes = 0;
    const dropped = () => gateway.metric('signalbox_events_dropped_total', { sink: 'file' });
    return await underFault(this.name, gateway, {
      async strike() {
        await room.fill();
        await pause(faultMs);
        await until('lines were counted as dropped', async () => (await dropped()) > 0);
        await room.free();
        bytes = (await stat(file)).size;
      },
      whole: {
        what: 'the log is written again',
        holds: async () => (await stat(file)).size > bytes,
      },
      async check() {
        const lines = (await readFile(file, 'utf8')).split('\n');
        const torn = lines.filter((line, at) => at < lines.length - 1 && !isJson(line)).length;
        return torn === 0 ? [] : [`${torn} lines of the log are cut in two`];
      },
      alsoLost: async () => `${await dropped()} lines of the log, counted as dropped, none cut in two`,
      mayEnd: [],
    });
  },
};

export const stateFull: Fault = {
  name: 'the disk of the state store is full, and has room again',
  async run({ faultMs }) {
    const disk = await mountSmallDisk(16_384);
    if (disk === undefined) return NO_DISK;
    await using room = disk;
    await using gateway = await startGatewayProcess({
      config: `state: ${JSON.stringify(`sqlite:${join(room.path, 'state.db')}`)}\n`,
    });
    return await underFault(this.name, gateway, {
      async strike() {
        await room.fill();
        await pause(faultMs);
        await room.free();
      },
      mayEnd: [],
    });
  },
};

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
