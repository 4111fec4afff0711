import { rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { addingModel } from '../../test/models/small-models.ts';
import type { RunningRedis } from '../../test/servers/redis-server.ts';
import { pause } from '../chaos/finding.ts';
import type { GatewayProcess } from '../chaos/gateway-process.ts';
import { soakExperiment } from './soak-experiment.ts';

/** Something that goes on beside the load, again and again; none of it may be seen by the callers. */
export interface Disturbance {
  readonly name: string;
  /** @param turn from 1 */
  happen(turn: number): Promise<void>;
}

/** @param onSwap told of the addend of a version before it is there */
export function disturbances(
  gateway: GatewayProcess,
  redis: RunningRedis,
  onSwap: (addend: number) => void,
): readonly Disturbance[] {
  const { path } = gateway.folder;
  const post = async (route: string, body: string, base = gateway.url): Promise<number> => {
    const response = await fetch(base + route, { method: 'POST', body });
    await response.arrayBuffer();
    return response.status;
  };
  return [
    {
      name: 'a version is replaced by another',
      async happen(turn) {
        onSwap(turn);
        await writeFile(join(path, 'next.onnx'), addingModel(turn));
        await rename(join(path, 'next.onnx'), join(path, `models/soak/${1 + (turn % 2)}/model.onnx`));
      },
    },
    {
      name: 'weights are promoted and rolled back by hand',
      // It ends the experiment, until the edit that comes next begins it anew.
      async happen(turn) {
        const body = JSON.stringify({ reason: 'soak', ...(turn % 2 === 1 && { variant: 'v2' }) });
        await post(
          `/api/experiments/soak-test/${turn % 2 === 1 ? 'promote' : 'rollback'}`,
          body,
          gateway.admin,
        );
      },
    },
    {
      name: "an experiment's weights are edited",
      happen: (turn) =>
        writeFile(join(path, 'experiments/soak.yaml'), soakExperiment(10 + ((turn * 7) % 80))),
    },
    {
      name: 'an experiment is edited into nonsense, and put right again',
      async happen(turn) {
        const file = join(path, 'experiments/other.yaml');
        if (turn % 2 === 1) await writeFile(file, 'key: other\nmodel: nobody\nstatus: begun\n');
        else await rm(file, { force: true });
      },
    },
    {
      name: 'a version comes that is no model, and goes again',
      async happen(turn) {
        if (turn % 2 === 1) await gateway.folder.write({ 'models/soak/3/model.onnx': 'no model' });
        else await rm(join(path, 'models/soak/3'), { recursive: true, force: true });
      },
    },
    {
      name: 'callers hang up in the middle',
      happen: () =>
        new Promise((resolve) => {
          const [host = '', port] = gateway.address.split(':');
          const socket = connect({ host, port: Number(port) }, () => {
            socket.write(
              'POST /v2/models/soak/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{',
              () => {
                socket.destroy();
                resolve();
              },
            );
          });
          socket.on('error', () => undefined);
        }),
    },
    {
      name: 'callers send nonsense',
      async happen() {
        const statuses = await Promise.all([
          post('/v2/models/soak/infer', '{'),
          post('/v2/models/nobody/infer', '{}'),
          post('/v1/outcomes', '[{"prediction_id":"a","metric":"correct","value":1}]'),
          post('/v2/models/soak/infer', '\u0000'),
        ]);
        // A gateway that is overloaded doesn't look at what it refuses.
        if (statuses.some((status) => status >= 500 && status !== 503))
          throw new Error(`nonsense was answered with ${statuses.join(', ')}`);
      },
    },
    {
      name: 'Redis is killed, and started again',
      async happen() {
        await redis.kill();
        await pause(1000);
        await redis.start();
      },
    },
    {
      name: 'Redis is stopped (SIGSTOP), and goes on',
      async happen() {
        redis.freeze();
        await pause(1000);
        redis.thaw();
      },
    },
    {
      name: 'the configuration is reloaded (SIGHUP)',
      happen() {
        process.kill(gateway.pid, 'SIGHUP');
        return Promise.resolve();
      },
    },
  ];
}
