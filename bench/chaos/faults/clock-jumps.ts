import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFaketime } from '../../../test/servers/faketime.ts';
import { temporaryFolder } from '../../../test/models/temporary-folder.ts';
import { pause } from '../finding.ts';
import type { Fault } from '../finding.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { underFault } from '../under-fault.ts';

/** Jumps of the wall clock, one after the other: an hour ahead, two back, and right again. */
const JUMPS = ['+3600s', '-3600s', '+0s'];

export const clockJumps: Fault = {
  name: 'the wall clock jumps an hour ahead, two back, and right again',
  async run({ faultMs }) {
    const found = await findFaketime();
    if (found.kind === 'missing') return found.reason;
    await using folder = await temporaryFolder({ clock: '+0s' });
    const clock = join(folder.path, 'clock');
    await using gateway = await startGatewayProcess({
      env: {
        ...process.env,
        LD_PRELOAD: found.program,
        FAKETIME_TIMESTAMP_FILE: clock,
        // Read at each question; the clock that only goes forward stays as it is, as when an administrator sets the time.
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      },
    });
    return await underFault(this.name, gateway, {
      async strike(callers) {
        for (const jump of JUMPS) {
          // Renamed, so that nobody reads half of it.
          await writeFile(`${clock}.next`, jump);
          await rename(`${clock}.next`, clock);
          await pause(faultMs / JUMPS.length);
          await callers.more(20);
        }
      },
      mayEnd: [],
    });
  },
};
