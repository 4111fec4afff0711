import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCampaign } from './campaign.ts';
import { ENTRIES } from './entries/all.ts';
import { reader } from './entry.ts';
import { FuzzedGateway } from './fuzzed-gateway.ts';
import { mutated } from './mutator.ts';
import { reportText } from './report.ts';

/** To a gateway, and to a reader in this process; `npm run fuzz` sends many times as many. */
const SENT = 200;
const READ = 300;

const SEED = 20_261_125;

let gateway: FuzzedGateway;
beforeAll(async () => {
  gateway = await FuzzedGateway.start();
});
afterAll(() => gateway[Symbol.asyncDispose]());

test.each(ENTRIES.map(({ entry }) => [entry.name, entry] as const))(
  '%s takes or refuses by name whatever comes',
  async (name, entry) => {
    const isRead = /\.(yaml|pbtxt|properties)$|^prediction|^mar|onnx$/.test(name);
    const report = await runCampaign(entry, { inputs: isRead ? READ : SENT, seed: SEED, gateway });
    expect(report.findings, reportText(report)).toEqual([]);
    // Mutations that are all refused, or all taken, would show little.
    expect(report.accepted + Object.values(report.refused).reduce((sum, count) => sum + count, 0)).toBe(
      report.inputs,
    );
    expect(Object.keys(report.refused)).not.toEqual([]);
  },
);

test('a campaign finds a reader that throws what it should not, and says which input it was', async () => {
  const broken = reader('broken', {
    seeds: ['{"a": [1]}'],
    tokens: ['null'],
    read: (input) => (JSON.parse(input.toString()) as { a: number[] }).a.length,
    isRefusal: (error) => (error instanceof SyntaxError ? 'SyntaxError' : undefined),
  });
  const report = await runCampaign(broken, { inputs: 2000, seed: SEED });
  expect(report.findings.length).toBeGreaterThan(0);
  expect(reportText(report)).toContain(`--from ${report.findings[0]?.index ?? ''} `);
  for (const { index, input } of report.findings) {
    expect(mutated([Buffer.from('{"a": [1]}')], ['null'], `${SEED}:broken`, index)).toEqual(input);
  }
});

test('a campaign whose seeds are refused is none', async () => {
  const wrong = reader('wrong', {
    seeds: ['x'],
    tokens: [],
    read: () => {
      throw new SyntaxError();
    },
    isRefusal: () => 'SyntaxError',
  });
  await expect(runCampaign(wrong, { inputs: 1, seed: SEED })).rejects.toThrow(
    'seed 0 of wrong is not accepted: SyntaxError',
  );
});
