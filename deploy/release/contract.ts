import { readFile } from 'node:fs/promises';
import { major, minor } from 'semver';
import { ModelConfigSchema } from '../../backends/repository/model-config.ts';
import { ExperimentSchema } from '../../experiments/experiment-schema.ts';
import { ConfigSchema } from '../../gateway/config/schema.ts';
import { ERRORS } from '../../gateway/errors.ts';
import { NO_GAUGES } from '../../gateway/telemetry/measures/gauges.ts';
import { Metrics } from '../../gateway/telemetry/metrics.ts';

const PROTOS = new URL('../../gateway/faces/grpc/protos/', import.meta.url);
const OPENAPI = new URL('../../docs/openapi/', import.meta.url);

/** The names that callers, dashboards and files rely on, as the code has them. */
export interface Contract {
  readonly version: string;
  /** Sorted, as `metric signalbox_queue_depth` or `key experiment variants.weight`. */
  readonly names: readonly string[];
}

export async function extractContract(version: string): Promise<Contract> {
  const metrics = new Metrics(NO_GAUGES);
  const exposed = (await metrics.render()).matchAll(/^# TYPE (\w+) (\w+)/gm);
  const names = [
    ...[...exposed].map(([, name, kind]) => `metric ${name ?? ''} ${kind ?? ''}`),
    ...Object.entries(ERRORS).map(([code, { status }]) => `error ${code} ${status}`),
    ...keysOf(ConfigSchema).map((key) => `key signalbox.yaml ${key}`),
    ...keysOf(ModelConfigSchema).map((key) => `key config.yaml ${key}`),
    ...keysOf(ExperimentSchema).map((key) => `key experiment ${key}`),
    ...(await remoteCalls()),
    ...(await httpCalls()),
  ];
  return { version, names: [...new Set(names)].toSorted() };
}

/**
 * What a release would break. By semantic versioning a name may go with a new major version, and before 1.0.0 with a new minor one.
 *
 * @returns the names that went though the version says that none would
 */
export function brokenNames(released: Contract, next: Contract): readonly string[] {
  const mayBreak =
    major(next.version) > major(released.version) ||
    (major(released.version) === 0 && minor(next.version) > minor(released.version));
  if (mayBreak) return [];
  const kept = new Set(next.names);
  return released.names.filter((name) => !kept.has(name));
}

async function remoteCalls(): Promise<readonly string[]> {
  const text = await readFile(new URL('inference.proto', PROTOS), 'utf8');
  return [...text.matchAll(/^\s*rpc (\w+)/gm)].map(([, name]) => `rpc ${name ?? ''}`);
}

/** As `call data POST /v2/models/{model}/infer`, from the documents that are held equal to the routes. */
async function httpCalls(): Promise<readonly string[]> {
  const planes = await Promise.all(
    ['data', 'admin'].map(async (plane) => {
      const document = JSON.parse(await readFile(new URL(`${plane}.json`, OPENAPI), 'utf8')) as OpenApiPaths;
      return Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `call ${plane} ${method.toUpperCase()} ${path}`),
      );
    }),
  );
  return planes.flat();
}

interface OpenApiPaths {
  readonly paths: Readonly<Record<string, object>>;
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, object>>;
  readonly patternProperties?: Readonly<Record<string, object>>;
  readonly items?: object;
  readonly anyOf?: readonly object[];
}

/** The paths of all keys of a schema, those of maps and lists too. */
function keysOf(schema: object, prefix = ''): readonly string[] {
  const { properties = {}, patternProperties = {}, items, anyOf = [] } = schema as SchemaNode;
  const inner = [...(items === undefined ? [] : [items]), ...Object.values(patternProperties), ...anyOf];
  return [
    ...inner.flatMap((each) => keysOf(each, prefix)),
    ...Object.entries(properties).flatMap(([key, each]) => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return [path, ...keysOf(each, path)];
    }),
  ];
}
