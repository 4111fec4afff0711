/** A model that crashes the process when it is opened: it costs two restarts, and the others are served. */
import { expect, test } from 'vitest';
import { eventually } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { crashingModel } from '../models/small-models.ts';
import { startSupervised } from './supervised.ts';

const CRASHED_TWICE = 'the server crashed twice while it opened this file';
const GOOD = identityModel('FP32', ['batch', 1]);

test.skipIf(process.platform !== 'linux')(
  'a file that crashes the process as it is opened is passed over at the third start, and is served when it is another',
  async () => {
    await using gateway = await startSupervised({
      models: { good: GOOD, pair: GOOD, other: GOOD },
      files: { 'pair/2/model.onnx': crashingModel(true) },
      control: 'poll',
    });
    const state = async (model: string, version: string): Promise<string> => {
      const index = (await (await gateway.post('/v2/repository/index', {})).json()) as {
        name: string;
        version: string;
        state: string;
        reason: string;
      }[];
      const line = index.find((each) => each.name === model && each.version === version);
      return `${line?.state ?? ''} ${line?.reason ?? ''}`;
    };
    expect(gateway.logged('the server died and is started again')).toMatchObject([
      { cause: 'SIGFPE' },
      { cause: 'SIGFPE', running: 1 },
    ]);
    expect(await state('pair', '2')).toMatch(new RegExp(`^UNAVAILABLE .*${CRASHED_TWICE}`));
    for (const model of ['good', 'pair', 'other']) {
      expect(await state(model, '1')).toBe('READY ');
      expect((await gateway.infer(model, 2)).status).toBe(200);
    }
    await gateway.folder.write({ 'models/pair/2/model.onnx': GOOD });
    await eventually(async () => (await state('pair', '2')) === 'READY ');
  },
);
