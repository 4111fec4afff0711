import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { ROOT } from '../e2e/cli.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { differences, findHelm, findKustomize, idOf } from './rendering.ts';
import type { Manifest, Renderer } from './rendering.ts';

const CHART = 'deploy/helm/signalbox';
const SAME = [
  { layout: 'deploy/kubernetes/base', values: [] },
  { layout: 'deploy/kubernetes/overlays/production', values: [`${CHART}/values-production.yaml`] },
  { layout: 'deploy/kubernetes/overlays/gpu', values: [`${CHART}/values-gpu.yaml`] },
];

const kustomize = await findKustomize();
const helm = await findHelm();
const reason = [kustomize, helm]
  .flatMap((found) => (found.kind === 'missing' ? [found.reason] : []))
  .join('; ');

async function render(renderer: Renderer, ...args: readonly string[]): Promise<readonly Manifest[]> {
  if (renderer.kind === 'missing') throw new Error(renderer.reason);
  return renderer.render(...args);
}

/** The API's own definitions, in which an object that lists its properties takes no others. */
async function schemas(): Promise<(manifest: Manifest) => readonly string[]> {
  const checks = new Map<string, ValidateFunction>();
  for (const file of ['kubernetes-v1.34.json', 'custom-resources.json']) {
    const text = await readFile(join(ROOT, 'test/deploy/schemas', file), 'utf8');
    const { kinds, $defs } = JSON.parse(text) as { kinds: Record<string, object>; $defs: object };
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    for (const [kind, schema] of Object.entries(kinds)) checks.set(kind, ajv.compile({ ...schema, $defs }));
  }
  return (manifest) => {
    const check = checks.get(`${manifest.apiVersion}/${manifest.kind}`);
    if (check === undefined) return [`${manifest.apiVersion}/${manifest.kind} is no kind that is known here`];
    if (check(manifest)) return [];
    return (check.errors ?? []).map(
      ({ instancePath, message }) => `${idOf(manifest)}${instancePath}: ${message ?? ''}`,
    );
  };
}

interface Container {
  readonly name: string;
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly volumeMounts?: readonly { readonly subPath?: string }[];
  readonly securityContext?: { readonly readOnlyRootFilesystem?: boolean };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly Container[];
}

function podOf(manifests: readonly Manifest[]): PodSpec {
  const deployment = manifests.find(({ kind }) => kind === 'Deployment');
  return (deployment as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

describe.skipIf(reason !== '')(`the manifests${reason}`, () => {
  test.each(SAME)("$layout is what the API's schemas allow, strictly", async ({ layout }) => {
    const check = await schemas();
    const manifests = await render(kustomize, layout);
    expect(manifests.flatMap(check)).toEqual([]);
    expect(manifests.length).toBeGreaterThanOrEqual(10);
  });

  test('a misspelt field anywhere is found', async () => {
    const check = await schemas();
    const text = JSON.stringify(await render(kustomize, 'deploy/kubernetes/overlays/production'));
    for (const field of [
      'maxSurge',
      'fsGroup',
      'preStop',
      'averageUtilization',
      'podSelector',
      'honorLabels',
    ]) {
      const misspelt = JSON.parse(text.replaceAll(`"${field}"`, `"${field}s"`)) as readonly Manifest[];
      expect(misspelt.flatMap(check).join(), field).toContain('must NOT have additional properties');
    }
  });

  test.each(SAME)('the chart renders the same as $layout', async ({ layout, values }) => {
    const [wanted, rendered] = [
      await render(kustomize, layout),
      await render(helm, CHART, 'signalbox', ...values),
    ];
    expect(rendered.map(idOf)).toEqual(wanted.map(idOf));
    expect(wanted.flatMap((manifest, at) => differences(manifest, rendered[at], idOf(manifest)))).toEqual([]);
  });

  test('another release is apart from the first in everything that selects', async () => {
    const other = JSON.stringify(await render(helm, CHART, 'second', ...(SAME[1]?.values ?? [])));
    expect(other).toContain('"app.kubernetes.io/name":"second"');
    expect(other).not.toContain('"app.kubernetes.io/name":"signalbox"');
  });

  test('a value that the chart does not know is refused', async () => {
    await using folder = await temporaryFolder({ 'values.yaml': 'autoscaling: { minReplica: 2 }\n' });
    await expect(render(helm, CHART, 'signalbox', join(folder.path, 'values.yaml'))).rejects.toThrow(
      /minReplica/,
    );
  });

  test('a pod gets the time that it takes to stop, writes nowhere, and mounts whole folders', async () => {
    const manifests = await render(kustomize, 'deploy/kubernetes/base');
    const config = manifests.find(({ metadata }) => metadata.name === 'signalbox-config');
    const { 'signalbox.yaml': text } = (config as unknown as { data: Record<string, string> }).data;
    await using folder = await temporaryFolder({ 'signalbox.yaml': text ?? '' });
    const { timeouts } = await loadConfig(join(folder.path, 'signalbox.yaml'), {});
    const pod = podOf(manifests);
    const [gateway] = pod.containers;
    const stopMs =
      (gateway?.lifecycle?.preStop.sleep.seconds ?? NaN) * 1000 + timeouts.graceMs + timeouts.drainMs;
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(stopMs);
    expect(gateway?.securityContext?.readOnlyRootFilesystem).toBe(true);
    // A subPath does not follow the link `..data`, so an edit would never arrive.
    expect(gateway?.volumeMounts?.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
  });
});
