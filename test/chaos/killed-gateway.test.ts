import { expect, test } from 'vitest';
import { MEASURED_FILES } from '../gateway/faces/predictions.ts';
import { eventually } from '../gateway/running-gateway.ts';
import { Replica } from './replica.ts';
import { expectWhole } from './whole-history.ts';

/** How often the process is killed: `SIGNALBOX_KILLS=100 npx vitest run test/chaos/killed-gateway.test.ts` is the long form. */
const KILLS = Number(process.env.SIGNALBOX_KILLS ?? 2);

test(
  `a gateway that is killed ${KILLS} times while it is given commands has all that it acknowledged, and its history is whole`,
  async () => {
    // Those that changed something: after a kill that swallowed a command the next asks for what is there already.
    const acknowledged: { readonly reason: string; readonly version: number }[] = [];
    let replica = await Replica.start({ state: 'sqlite:./state.db', files: MEASURED_FILES });
    let sent = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const current = replica;
      // Not for a time but for a number of answers, and then at any moment of the next command.
      const commands = 1 + Math.floor(Math.random() * 8);
      for (let count = 0; count < commands; count++) {
        const reason = `command ${++sent}`;
        const { body } = await current.command(sent % 2 === 0 ? 'rollback' : 'promote', reason);
        if (body.changed === true) acknowledged.push({ reason, version: body.weightsVersion });
      }
      const last = current.command(++sent % 2 === 0 ? 'rollback' : 'promote', `command ${sent}`).then(
        ({ body }) => {
          if (body.changed === true)
            acknowledged.push({ reason: `command ${sent}`, version: body.weightsVersion });
        },
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
      await current.kill();
      await last;
      replica = await current.again();
      const { weightsVersion } = await replica.told();
      expect(weightsVersion).toBeGreaterThanOrEqual(acknowledged.at(-1)?.version ?? 0);
    }
    await eventually(
      async () => (await replica.history()).at(-1)?.after.version === (await replica.told()).weightsVersion,
    );
    const history = await replica.history();
    expectWhole(history);
    const changed = new Map(history.map(({ reason, after }) => [after.version, reason]));
    for (const { reason, version } of acknowledged)
      expect([reason, changed.get(version)]).toEqual([reason, reason]);
    await replica.end();
  },
  120_000 + KILLS * 30_000,
);
