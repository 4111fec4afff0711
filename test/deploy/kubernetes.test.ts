import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Config } from '../../gateway/config/config.ts';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { ROOT } from '../e2e/cli.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { differences, findHelm, findKustomize, idOf, parseManifests } from './rendering.ts';
import type { Manifest, Renderer } from './rendering.ts';

const CHART = 'deploy/helm/signalbox';
const SAME = [
  { layout: 'deploy/kubernetes/base', values: [] },
  { layout: 'deploy/kubernetes/overlays/production', values: [`${CHART}/values-production.yaml`] },
  { layout: 'deploy/kubernetes/overlays/gpu', values: [`${CHART}/values-gpu.yaml`] },
];

const OWN_VALUES = `
env: [{ name: SIGNALBOX_SECRET, valueFrom: { secretKeyRef: { name: signing, key: secret } } }]
volumes: [{ name: tls, secret: { secretName: signalbox-tls } }]
volumeMounts: [{ name: tls, mountPath: /tls, readOnly: true }]
tls: true
statePort: 6380
monitoring: { labels: { release: kube-prometheus-stack } }
pod:
  annotations: { example.com/team: models }
  imagePullSecrets: [{ name: registry }]
  nodeSelector: { pool: gpu }
  tolerations: [{ key: pool, operator: Exists }]
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: pool, operator: Exists }] }] } } }
  priorityClassName: serving
`;

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

/** What is said of an object of that kind and name. */
function specOf(manifests: readonly Manifest[], kind: string, name: string): unknown {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  return found?.spec;
}

/** The configuration that is mounted, as the gateway reads it. */
async function configOf(manifests: readonly Manifest[]): Promise<Config> {
  const config = manifests.find(({ metadata }) => metadata.name === 'signalbox-config');
  const { 'signalbox.yaml': text } = (config as unknown as { data: Record<string, string> }).data;
  await using folder = await temporaryFolder({ 'signalbox.yaml': text ?? '' });
  return await loadConfig(join(folder.path, 'signalbox.yaml'), {
    SIGNALBOX_STATE: 'redis://redis.example:6379/0',
  });
}

interface ServiceMonitorSpec {
  readonly jobLabel: string;
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly endpoints: readonly { readonly authorization?: object }[];
}

interface Ingress {
  readonly from: readonly { readonly namespaceSelector: { readonly matchLabels?: object } }[];
  readonly ports: readonly { readonly port: string }[];
}

interface Container {
  readonly name: string;
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
    readonly subPath?: string;
  }[];
  readonly securityContext?: { readonly readOnlyRootFilesystem?: boolean };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly emptyDir?: object }[];
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

  test("the example of a claim for models is what the API's schemas allow, and is the one that is mounted", async () => {
    const check = await schemas();
    const example = parseManifests(
      await readFile(join(ROOT, 'deploy/kubernetes/examples/models-claim.yaml'), 'utf8'),
    );
    expect(example.flatMap(check)).toEqual([]);
    const claims = example.filter(({ kind }) => kind === 'PersistentVolumeClaim');
    for (const { layout } of SAME.slice(1)) {
      const manifests = await render(kustomize, layout);
      expect(manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([]);
      const mounted = podOf(manifests).volumes.find(({ name }) => name === 'models');
      expect(mounted).toMatchObject({ persistentVolumeClaim: { claimName: claims[0]?.metadata.name } });
    }
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

  test.each([
    [
      'an autoscaler',
      'autoscaling: { by: cpu }',
      /autoscaling\.by is cpu, and stateSecret is empty: .*Name a Secret/,
    ],
    ['more replicas', 'replicas: 3', /replicas is 3, and stateSecret is empty: .*set replicas to 1/],
    [
      'an autoscaler that asks a Prometheus which scrapes nobody',
      'stateSecret: s\nautoscaling: { by: keda }',
      /autoscaling\.by is keda, .*Set monitoring\.by to operator, or to other/,
    ],
    [
      'a state of its own in the configuration',
      'config: |\n  state: memory',
      /config has a key state, .*Take it out of config/,
    ],
    [
      'a node for a GPU without a GPU',
      'gpu: true',
      /gpu is true, and resources\.limits has no nvidia\.com\/gpu/,
    ],
  ])('the chart refuses %s, and says what would be right', async (_, values, message) => {
    await using folder = await temporaryFolder({ 'values.yaml': `${values}\n` });
    const rendered = render(helm, CHART, 'signalbox', join(folder.path, 'values.yaml'));
    await expect(rendered).rejects.toThrow(message);
  });

  test.each([
    [
      'without shared state there is nothing to scale',
      ['monitoring', 'scale-by-queue'],
      /HorizontalPodAutoscaler/,
    ],
    [
      'without shared state there is nothing to scale',
      ['monitoring', 'scale-keda'],
      /HorizontalPodAutoscaler/,
    ],
    ['without a scrape there is no queue time', ['redis', 'scale-by-queue'], /ServiceMonitor/],
    ['without a scrape there is no queue time', ['redis', 'scale-keda'], /ServiceMonitor/],
  ])('kustomize refuses an overlay like it: %s (%j)', async (_, components, message) => {
    // Kustomize takes no absolute paths. In a copy it is in nobody's way: the pages of the documentation copy the repository meanwhile.
    const lines = components.map((name) => `  - ../../components/${name}\n`).join('');
    await using folder = await temporaryFolder({
      'overlays/refused/kustomization.yaml': `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../base]\ncomponents:\n${lines}`,
    });
    await cp(join(ROOT, 'deploy/kubernetes'), folder.path, { recursive: true });
    await expect(render(kustomize, join(folder.path, 'overlays/refused'))).rejects.toThrow(message);
  });

  test('one replica keeps its own state; several share theirs, and an autoscaler has their number', async () => {
    for (const { layout } of SAME) {
      const manifests = await render(kustomize, layout);
      const { replicas } = specOf(manifests, 'Deployment', 'signalbox') as { replicas?: number };
      const scaled = manifests.some(
        ({ kind }) => kind === 'HorizontalPodAutoscaler' || kind === 'ScaledObject',
      );
      const isShared = (await configOf(manifests)).state.kind === 'redis';
      expect([layout, replicas, scaled]).toEqual([layout, isShared ? undefined : 1, isShared]);
    }
  });

  test('Prometheus shows a key at its scrapes, and calls what it scrapes as the rules do', async () => {
    const rules = parse(await readFile(join(ROOT, 'dashboards/prometheus/rules.yaml'), 'utf8')) as object;
    for (const { layout } of SAME.slice(1)) {
      const manifests = await render(kustomize, layout);
      const { jobLabel, endpoints, selector } = specOf(
        manifests,
        'ServiceMonitor',
        'signalbox',
      ) as ServiceMonitorSpec;
      expect((await configOf(manifests)).auth).toBeDefined();
      for (const { authorization } of endpoints)
        expect(authorization).toEqual({
          type: 'Bearer',
          credentials: { name: 'signalbox-scrape-key', key: 'key' },
        });
      const scraped = manifests.filter(
        ({ kind, metadata: { labels = {} } }) =>
          kind === 'Service' &&
          Object.entries(selector.matchLabels).every(([name, value]) => labels[name] === value),
      );
      expect(scraped.map(({ metadata }) => metadata.labels?.[jobLabel])).toEqual(['signalbox']);
      expect(specOf(manifests, 'PrometheusRule', 'signalbox')).toEqual(rules);
    }
  });

  test('the control plane has a Service and a rule of its own', async () => {
    const manifests = await render(kustomize, 'deploy/kubernetes/base');
    const portsOf = (name: string) =>
      (specOf(manifests, 'Service', name) as { ports: { targetPort: string }[] }).ports.map(
        ({ targetPort }) => targetPort,
      );
    expect(['signalbox', 'signalbox-admin', 'signalbox-metrics'].map(portsOf)).toEqual([
      ['http', 'grpc'],
      ['admin'],
      ['metrics'],
    ]);
    const { ingress } = specOf(manifests, 'NetworkPolicy', 'signalbox') as { ingress: Ingress[] };
    expect(
      ingress.map(({ from, ports }) => [
        from[0]?.namespaceSelector.matchLabels,
        ...ports.map(({ port }) => port),
      ]),
    ).toEqual([
      [undefined, 'http', 'grpc'],
      [{ 'signalbox/scrapes': 'true' }, 'metrics'],
      [{ 'signalbox/administers': 'true' }, 'admin'],
    ]);
    const { listen, auth } = await configOf(manifests);
    expect([listen.admin?.port, auth]).toEqual([8003, expect.anything()]);
  });

  test('another release is apart from the first in everything that selects', async () => {
    const other = JSON.stringify(await render(helm, CHART, 'second', ...(SAME[1]?.values ?? [])));
    expect(other).toContain('"app.kubernetes.io/name":"second"');
    expect(other).not.toContain('"app.kubernetes.io/name":"signalbox"');
    expect(other).toContain('up{job=\\"second\\"}');
    expect(other).not.toContain('job=\\"signalbox\\"');
  });

  test("secrets, certificates, a registry's secret, nodes and labels of one's own have their places", async () => {
    await using folder = await temporaryFolder({ 'values.yaml': OWN_VALUES });
    const manifests = await render(
      helm,
      CHART,
      'signalbox',
      join(ROOT, `${CHART}/values-gpu.yaml`),
      join(folder.path, 'values.yaml'),
    );
    expect(manifests.flatMap(await schemas())).toEqual([]);
    const pod = podOf(manifests);
    const [gateway] = pod.containers;
    expect(gateway).toMatchObject({
      env: [
        { name: 'SIGNALBOX_STATE' },
        { name: 'SIGNALBOX_SECRET', valueFrom: { secretKeyRef: { name: 'signing', key: 'secret' } } },
      ],
      startupProbe: { httpGet: { scheme: 'HTTPS' } },
      livenessProbe: { httpGet: { scheme: 'HTTPS' } },
      readinessProbe: { httpGet: { scheme: 'HTTPS' } },
    });
    expect(gateway?.volumeMounts).toContainEqual({ name: 'tls', mountPath: '/tls', readOnly: true });
    expect(pod).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      nodeSelector: { pool: 'gpu' },
      tolerations: [{ key: 'nvidia.com/gpu' }, { key: 'pool' }],
      volumes: expect.arrayContaining([{ name: 'tls', secret: { secretName: 'signalbox-tls' } }]) as unknown,
    });
    const { egress } = specOf(manifests, 'NetworkPolicy', 'signalbox') as { egress: object[] };
    expect(egress).toContainEqual({ ports: [{ port: 6380 }] });
    for (const { kind, metadata } of manifests.filter(({ apiVersion }) =>
      apiVersion.startsWith('monitoring.'),
    ))
      expect([kind, metadata.labels?.release]).toEqual([kind, 'kube-prometheus-stack']);
  });

  test('a value that the chart does not know is refused', async () => {
    await using folder = await temporaryFolder({ 'values.yaml': 'autoscaling: { minReplica: 2 }\n' });
    await expect(render(helm, CHART, 'signalbox', join(folder.path, 'values.yaml'))).rejects.toThrow(
      /minReplica/,
    );
  });

  test.each(SAME)(
    '$layout: where the configuration has the gateway write, a volume is mounted to be written to',
    async ({ layout }) => {
      const manifests = await render(kustomize, layout);
      const { spool, state } = await configOf(manifests);
      const pod = podOf(manifests);
      const writable = (pod.containers[0]?.volumeMounts ?? []).filter(({ readOnly }) => readOnly !== true);
      const placesOf = state.kind === 'sqlite' ? [spool, state.file] : [spool];
      for (const place of placesOf)
        expect(
          writable.map(({ mountPath }) => mountPath).filter((path) => place.startsWith(`${path}/`)),
        ).toHaveLength(1);
      const named = writable.map(({ name }) => pod.volumes.find((volume) => volume.name === name));
      expect(named).toEqual([expect.objectContaining({ emptyDir: { sizeLimit: '1Gi' } })]);
    },
  );

  test('a pod gets the time that it takes to stop, writes to its volume only, and mounts whole folders', async () => {
    const manifests = await render(kustomize, 'deploy/kubernetes/base');
    const { timeouts } = await configOf(manifests);
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
