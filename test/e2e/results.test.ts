import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { MEASURED_FILES } from '../gateway/faces/predictions.ts';
import { keysYaml } from '../gateway/keys-yaml.ts';
import { DEMO_FOLDER, startGateway } from '../gateway/running-gateway.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { run, signalbox } from './cli.ts';

/** The demo's models under its own question, with as many users for each version, so that fewer of them tell. */
const EXPERIMENT = `
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 1 }, { name: v2, version: 2, weight: 1 }]
metrics: [{ name: correct, kind: proportion, role: goal }]
`;

const USERS = 5000;

test('the key in SIGNALBOX_KEY is sent, to the gateway that SIGNALBOX_ADMIN names', async () => {
  const key = createKey();
  await using gateway = await startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      ...MEASURED_FILES,
      'keys.yaml': keysYaml([key, 'scopes: ["admin:read"]']),
    },
  });
  const admin = `http://${gateway.server.bound.admin ?? ''}`;
  const status = async (env: NodeJS.ProcessEnv) => {
    const all = { ...process.env, SIGNALBOX_ADMIN: admin, ...env };
    await using command = run(process.execPath, ['gateway/cli/main.ts', 'status', '--json'], all);
    return { code: await command.ended, out: command.stdout(), err: command.stderr() };
  };
  const answer = await status({ SIGNALBOX_KEY: key.text });
  expect(JSON.parse(answer.out)).toMatchObject({ experiments: [{ key: 'digits-cnn' }] });
  const refused = await status({ SIGNALBOX_KEY: '' });
  expect(refused).toMatchObject({ code: 1, out: '' });
  expect(refused.err).toMatch(/answers 401: a key is needed/);
});

async function printed(...args: readonly string[]) {
  await using command = signalbox(...args);
  const code = await command.ended;
  return { code, out: command.stdout(), err: command.stderr() };
}

interface ModelCard {
  readonly versions: Readonly<Record<string, { readonly held_out: { readonly accuracy: number } }>>;
}

/** Who gets which version, and which scan, is the same at every run: so is the verdict. */
test('true labels make v2 the winner by the always-valid test, wherever that is asked', async () => {
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: "127.0.0.1:0", admin: "127.0.0.1:0" }\n' +
      `models: { repository: ${join(DEMO_FOLDER, 'models')} }\nexperiments: ./experiments\nstate: sqlite:./state.db\n`,
    'experiments/digits.yaml': EXPERIMENT,
  });
  await using server = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
  const ready = await server.ready();
  const [http, admin] = [`http://${ready.http ?? ''}`, `http://${ready.admin ?? ''}`];

  const before = await printed('results', 'digits-cnn', '--admin', admin);
  expect(before).toMatchObject({
    code: 0,
    out: expect.stringContaining('no metric has outcomes yet') as string,
  });

  const sizes = ['--users', String(USERS), '--requests', String(USERS), '--concurrency', '32'];
  const traffic = await printed('demo', 'traffic', '--url', http, '--admin', admin, ...sizes);
  expect(traffic).toMatchObject({ code: 0, err: '' });
  expect(traffic.out).toContain(`${USERS} outcomes taken, 0 not`);
  expect(traffic.out).toMatch(/\ndigits-cnn: ship v2\n$/);

  const text = await printed('results', 'digits-cnn', '--admin', admin);
  expect(text.out).toMatch(/^digits-cnn, phase 1: ship v2\n/);
  expect(text.out).toMatch(/\nmetric +role +variant .* would find +days to go\n/);
  expect(text.out).toMatch(/\ncorrect +goal +v2 .* ±\d+\.\d % +0 +better\n/);
  expect(text.out).toMatch(/\ncorrect v2 +│ *├─+●─+┤\n/);
  expect(text.out).toMatch(/\nsample ratio ok .*outcomes ok \(100\.0 % of the units\)/);

  const json = await printed('results', 'digits-cnn', '--admin', admin, '--json');
  const results = JSON.parse(json.out) as {
    decision: object;
    variants: { units: number }[];
    metrics: {
      control: number;
      estimate: number;
      anytime: { interval: [number, number]; p: number };
      difference: { anytime: [number, number] };
    }[];
  };
  expect(results.decision).toEqual({ kind: 'ship', variant: 'v2' });
  expect(results.variants.reduce((sum, { units }) => sum + units, 0)).toBe(USERS);
  const [correct] = results.metrics;
  expect(correct?.anytime.p).toBeLessThan(0.05);
  expect(correct?.anytime.interval[0]).toBeGreaterThan(0);

  // What the models' card says of scans that they were not trained on.
  const card = JSON.parse(await readFile(join(DEMO_FOLDER, 'models/digits/card.json'), 'utf8')) as ModelCard;
  const [v1 = NaN, v2 = NaN] = ['1', '2'].map((version) => card.versions[version]?.held_out.accuracy);
  const [low = NaN, high = NaN] = correct?.difference.anytime ?? [];
  expect(low).toBeLessThan(v2 - v1);
  expect(high).toBeGreaterThan(v2 - v1);
  // Three standard errors of some 2,500 users each.
  expect(Math.abs((correct?.control ?? 0) - v1)).toBeLessThan(3 * Math.sqrt((v1 * (1 - v1)) / 2400));
  expect(Math.abs((correct?.estimate ?? 0) - v2)).toBeLessThan(3 * Math.sqrt((v2 * (1 - v2)) / 2400));

  const file = join(folder.path, 'results.html');
  const html = await printed('results', 'digits-cnn', '--admin', admin, '--html', file);
  expect(html).toEqual({ code: 0, out: `${file} is written\n`, err: '' });
  const page = await readFile(file, 'utf8');
  expect(page).toMatch(/<p class="verdict ship">ship v2<\/p>/);
  expect(page.match(/<svg\b/g)).toHaveLength(3);
  // One file: it asks for nothing else.
  expect(page).not.toMatch(/(?:src|href)=|url\(|<script|@import/);

  const csv = await printed('results', 'digits-cnn', '--admin', admin, '--csv');
  const [header = '', first = ''] = csv.out.split('\r\n');
  expect(first.split(',')).toHaveLength(header.split(',').length);
  expect(first).toMatch(/^digits-cnn,1,correct,goal,v2,5000,.*,better$/);

  const status = await printed('status', 'digits-cnn', '--admin', admin);
  expect(status.out).toMatch(/\ndigits-cnn +digits +running +1 +v1 +1 +1 +50\.0 %\n/);
}, 240_000);

test('what keeps a command from an answer is told, with 1', async () => {
  const nobody = await printed('status', '--admin', 'http://127.0.0.1:9');
  expect(nobody).toEqual({
    code: 1,
    out: '',
    err: "http://127.0.0.1:9 can't be asked: bad port\n",
  });
  expect(await printed('results', 'x', '--admin', 'nowhere')).toMatchObject({
    code: 1,
    err: '--admin is "nowhere"; expected an address as http://127.0.0.1:8003\n',
  });
});
