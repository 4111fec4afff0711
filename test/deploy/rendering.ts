import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../e2e/cli.ts';
import { pythonEnvironment } from '../interop/python-environment.ts';
import { onPath } from '../servers/debian-server.ts';

const execute = promisify(execFile);

/** A Kubernetes object as a manifest has it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [part: string]: unknown;
}

/** What renders manifests on this machine, or why nothing does. */
export type Renderer =
  | { readonly kind: 'found'; render(...args: readonly string[]): Promise<readonly Manifest[]> }
  | { readonly kind: 'missing'; readonly reason: string };

/** Helm's own engine inside a Python package, for machines without `helm`: a chart, a release's name, files of values. */
const RENDER_CHART = `
import sys, yaml
from helm_python import Chart
values = {}
def merge(into, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict): merge(into[key], value)
        else: into[key] = value
for path in sys.argv[3:]: merge(values, yaml.safe_load(open(path)))
rendered = Chart.load(sys.argv[1]).render(values, name=sys.argv[2], namespace='default')
print('\\n---\\n'.join(rendered[path] for path in sorted(rendered) if path.endswith('.yaml')))
`;

/** `kustomize` or `kubectl kustomize`; renders a folder. */
export async function findKustomize(): Promise<Renderer> {
  const kustomize = await onPath('kustomize');
  if (kustomize !== undefined) return renderer(kustomize, ['build']);
  const kubectl = await onPath('kubectl');
  if (kubectl !== undefined) return renderer(kubectl, ['kustomize']);
  return missing('neither kustomize nor kubectl is installed');
}

/** `helm`, or its engine from PyPI; renders a chart under a name with files of values. */
export async function findHelm(): Promise<Renderer> {
  const helm = await onPath('helm');
  if (helm !== undefined) {
    return {
      kind: 'found',
      render: async (chart = '', name = '', ...values) => {
        const files = values.flatMap((file) => ['--values', file]);
        return parseManifests(
          await output(helm, ['template', name, chart, '--kube-version', '1.34.0', ...files]),
        );
      },
    };
  }
  const environment = await pythonEnvironment('helm-requirements.txt');
  return environment.kind === 'ready'
    ? renderer(environment.python, ['-c', RENDER_CHART])
    : missing(`helm is not installed, and its engine can't be had from PyPI: ${environment.reason}`);
}

function renderer(program: string, before: readonly string[]): Renderer {
  return {
    kind: 'found',
    render: async (...args) => parseManifests(await output(program, [...before, ...args])),
  };
}

/** @throws Error with the same reason when `CI` is `true` */
function missing(reason: string): Renderer {
  if (process.env.CI === 'true') throw new Error(reason);
  return { kind: 'missing', reason };
}

async function output(program: string, args: readonly string[]): Promise<string> {
  return (await execute(program, args, { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 })).stdout;
}

export function parseManifests(text: string): readonly Manifest[] {
  const documents = parseAllDocuments(text);
  const manifests: Manifest[] = [];
  for (const document of documents) {
    for (const error of document.errors) throw error;
    const value: unknown = document.toJS();
    if (value !== null) manifests.push(value as Manifest);
  }
  return manifests.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

export const idOf = ({ apiVersion, kind, metadata }: Manifest): string =>
  `${apiVersion}/${kind}/${metadata.name}`;

/** The paths at which two values differ. */
export function differences(a: unknown, b: unknown, path = ''): readonly string[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (!isMap(a) || !isMap(b)) return [`${path}: ${JSON.stringify(a)} against ${JSON.stringify(b)}`];
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap((key) => differences(a[key], b[key], `${path}.${key}`));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
