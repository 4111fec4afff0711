import { execFile } from 'node:child_process';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { brokenNames, extractContract } from '../../deploy/release/contract.ts';
import { bundledPackages, runtimePackages } from '../../deploy/release/runtime-packages.ts';
import { stampedFiles } from '../../deploy/release/stamped-files.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { ROOT } from '../e2e/cli.ts';

const execute = promisify(execFile);

describe('the release check', () => {
  test('knows the names of every face of the contract', async () => {
    const { names } = await extractContract('0.1.0');
    expect(names).toEqual(
      expect.arrayContaining([
        'metric signalbox_requests_total counter',
        'error queue_full 503',
        'key signalbox.yaml listen.http',
        'key config.yaml dynamic_batching.max_queue_delay_microseconds',
        'key experiment variants.weight',
        'rpc ModelInfer',
        'call data POST /v2/models/{model}/infer',
        'call admin POST /models',
      ]),
    );
  });

  test.each([
    ['1.2.3', '1.2.4', ['key b']],
    ['1.2.3', '1.3.0', ['key b']],
    ['1.2.3', '2.0.0', []],
    ['0.1.0', '0.1.1', ['key b']],
    ['0.1.0', '0.2.0', []],
  ])('a name that goes between %s and %s', (from, to, broken) => {
    expect(
      brokenNames({ version: from, names: ['key a', 'key b'] }, { version: to, names: ['key a', 'key c'] }),
    ).toEqual(broken);
  });

  test('the next release is named in every file of deploy/ that names this one, and each tag keeps its variant', async () => {
    const stamped = await stampedFiles(ROOT, '12.34.56-rc.1');
    const named: string[] = [];
    for await (const file of glob('deploy/**/*.{yaml,json}', { cwd: ROOT })) {
      const isRecord = file === 'deploy/release/contract.json';
      if (!isRecord && (await readFile(join(ROOT, file), 'utf8')).includes(packageJson.version))
        named.push(file);
    }
    expect(stamped.map(({ file }) => file).toSorted()).toEqual(named.toSorted());
    for (const { file, text } of stamped) {
      expect([file, text]).toEqual([file, expect.stringContaining('12.34.56-rc.1')]);
      expect([file, text]).toEqual([file, expect.not.stringContaining(packageJson.version)]);
    }
    const gpu = stamped.filter(({ text }) => text.includes('cuda12'));
    for (const { text } of gpu) expect(text).toContain('12.34.56-rc.1-cuda12');
    expect(gpu).toHaveLength(2);
  });

  test('this tree breaks nothing, and THIRD_PARTY_NOTICES is what the lockfile says', async () => {
    await expect(execute('npm', ['run', '--silent', 'release:check'], { cwd: ROOT })).resolves.toMatchObject({
      stdout: expect.stringMatching(/^\d+ names, none of \S+ is gone\n$/) as string,
    });
  });
});

const ALLOWED = [
  'MIT',
  'Apache-2.0',
  'BSD-3-Clause',
  'BSD-2-Clause',
  'ISC',
  '0BSD',
  'BlueOak-1.0.0',
  '(MIT OR CC0-1.0)',
];

test('what the gateway runs on has licences that go with ours; the LGPL only where it is a library by itself', async () => {
  const others = (await runtimePackages(ROOT, true)).filter(({ license }) => !ALLOWED.includes(license));
  for (const { name, license } of others)
    expect(`${name}: ${license}`).toMatch(/^@img\/sharp-.*LGPL-3\.0-or-later/);
});

describe('the bill of materials', async () => {
  const { stdout } = await execute('npm', ['run', '--silent', 'sbom'], {
    cwd: ROOT,
    maxBuffer: 32 * 1024 * 1024,
  });
  const bill = JSON.parse(stdout) as {
    components: readonly { readonly purl: string; readonly hashes: readonly object[] }[];
  };

  test("has every package that the gateway runs on, and that is in the console's bundle, with its version", async () => {
    const listed = new Map(bill.components.map(({ purl, hashes }) => [decodeURIComponent(purl), hashes]));
    const packages = await runtimePackages(ROOT);
    for (const { name, version } of [...packages, ...(await bundledPackages(ROOT))]) {
      expect(listed.get(`pkg:npm/${name}@${version}`), name).toEqual([
        { alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) as string },
      ]);
    }
    const { dependencies } = packageJson;
    for (const name of Object.keys(dependencies)) expect(packages.map((found) => found.name)).toContain(name);
  });

  test('is what the schema of CycloneDX 1.6 allows', async () => {
    const text = await readFile(join(ROOT, 'test/deploy/schemas/cyclonedx-1.6.json'), 'utf8');
    const [schema = {}, ...others] = JSON.parse(text) as readonly object[];
    const check = new Ajv({ strict: false, validateFormats: false, schemas: [...others] }).compile(schema);
    expect(check(bill), JSON.stringify(check.errors)).toBe(true);
    const [first] = bill.components;
    expect(check({ ...bill, components: [{ ...first, type: 'package' }] })).toBe(false);
    expect(check({ ...bill, components: [first, first] })).toBe(false);
  });
});
