import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExposureLine } from '../../experiments/exposure-line.ts';
import { MEASURED_FILES, predict } from '../gateway/faces/predictions.ts';
import type { Predicted } from '../gateway/faces/predictions.ts';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { signalbox } from './cli.ts';
import { askOfEach } from '../gateway/few-callers.ts';

const USERS = 400;

let gateway: RunningGateway;
let log: string;
let variants: readonly string[];
let anonymous: Predicted;
beforeAll(async () => {
  gateway = await startGateway({
    config: 'telemetry: { events: { file: log.jsonl } }',
    files: {
      ...MEASURED_FILES,
      'experiments/digits.yaml': experimentFile({ coverage: 0.9 }),
    },
  });
  const users = Array.from({ length: USERS }, (_, user) => `user-${user}`);
  const answers = await askOfEach(users, (user) => predict(gateway, user));
  variants = answers.map(({ variant }) => variant);
  anonymous = await predict(gateway);
  await predict(gateway, 'user-1', { headers: { 'x-experiment': 'v2' } });
  await predict(gateway, 'user-1', { path: '/v2/models/digits/versions/1/infer' });
  await gateway.server.gateway.state.exposures.flush();
  log = join(gateway.folder.path, 'log.jsonl');
});
afterAll(() => gateway[Symbol.asyncDispose]());

async function replayed(...args: readonly string[]) {
  await using command = signalbox('replay', ...args);
  const code = await command.ended;
  return { code, out: command.stdout(), err: command.stderr() };
}

test('a line says all of its request, and nothing that names the unit', async () => {
  const text = await readFile(log, 'utf8');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ExposureLine);
  // The pinned request was routed by no experiment.
  expect(lines).toHaveLength(USERS + 2);
  expect(text).not.toContain('user-');
  const first = lines.find(({ reason }) => reason === 'split');
  expect(first).toMatchObject({
    experiment: 'digits-cnn',
    phase: 1,
    weights: { v1: 90, v2: 10 },
    coverage: 0.9,
    control: 'v1',
    unit: true,
    model: 'digits',
    digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    outcome: 'ok',
  });
  expect(first?.batch_rows).toBeGreaterThanOrEqual(1);
  expect(first?.compute_ms).toBeGreaterThan(0);
  expect(first?.total_ms).toBeGreaterThan(first?.compute_ms ?? Infinity);
});

test('a log is assigned again bit for bit, with nothing but itself', async () => {
  const { code, out } = await replayed(log, '--json');
  const report = JSON.parse(out) as Record<string, unknown>;
  // Whether a request without a unit is enrolled is drawn at random; where it isn't, its line has no hash that says so. The other one was an override.
  const notSplit = anonymous.reason === 'split' ? 1 : 2;
  expect(report).toMatchObject({ lines: USERS + 2, notSplit, differentLines: 0, same: USERS + 2 - notSplit });
  expect(code).toBe(0);
});

test('a line that was assigned otherwise is told with its place, and the exit code is 1', async () => {
  const text = await readFile(log, 'utf8');
  const lines = text.trim().split('\n');
  const at = lines.findIndex((line) => line.includes('"variant":"v2","reason":"split"'));
  lines[at] = (lines[at] ?? '').replace('"variant":"v2"', '"variant":"v1"');
  const tampered = join(gateway.folder.path, 'tampered.jsonl');
  await writeFile(tampered, lines.join('\n'));
  const { code, out } = await replayed(tampered);
  expect(out).toContain(`tampered.jsonl:${at + 1}: logged v1, assigned v2`);
  expect(code).toBe(1);
});

test('what other weights would do is what they then do', async () => {
  const { out } = await replayed(log, '--what-if', 'v1=80,v2=20', '--json');
  const { whatIf } = JSON.parse(out) as {
    whatIf: { units: number; after: Record<string, { units: number }>; moved: Record<string, number> };
  };
  const again = experimentFile({
    coverage: 0.9,
    variants: [
      { name: 'v1', version: 1, weight: 80 },
      { name: 'v2', version: 2, weight: 20 },
    ],
  });
  await using changed = await startGateway({
    files: { ...MEASURED_FILES, 'experiments/digits.yaml': again },
  });
  const answers = await askOfEach(variants, (_, user) => predict(changed, `user-${user}`));
  const moved = answers.filter(({ variant }, user) => variant !== variants[user]).length;
  const inV2 = answers.filter(({ variant, reason }) => variant === 'v2' && reason === 'split').length;
  // The request without a unit is one of the units of the log, and may fall either way.
  expect(Math.abs((whatIf.after.v2?.units ?? 0) - inV2)).toBeLessThanOrEqual(1);
  expect(moved).toBeGreaterThan(0);
  expect(Object.keys(whatIf.moved)).toEqual(['v1 → v2']);
  expect(Math.abs((whatIf.moved['v1 → v2'] ?? 0) - moved)).toBeLessThanOrEqual(1);
});

test.each([
  [['missing.jsonl'], 1, 'no such file'],
  [['package.json'], 1, 'package.json:1: is no line of an exposure log'],
  [['package.json', '--what-if', 'v1=80,v1=20'], 2, 'expected each variant once'],
  [['package.json', '--what-if', 'half'], 2, 'as v1=80,v2=20'],
])('%s is refused', async (args, expected, message) => {
  const { code, err } = await replayed(...args);
  expect(err).toContain(message);
  expect(code).toBe(expected);
});
