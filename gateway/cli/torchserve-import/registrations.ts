/** What TorchServe would load, as calls to the control plane. */
export interface Registrations {
  readonly calls: readonly string[];
  readonly notes: readonly string[];
}

interface Archive {
  readonly url: string;
  readonly name: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
}

/** @throws Error where `models` is no JSON */
export function registrationsOf(properties: ReadonlyMap<string, string>, admin: string): Registrations {
  const notes: string[] = [];
  const archives = new Map<string, Archive>();
  for (const archive of [...loadModels(properties, notes), ...modelsJson(properties, notes)])
    archives.set(`${archive.name ?? ''} ${archive.url}`, archive);
  const base = `http://${admin}`;
  return {
    notes,
    calls: [...archives.values()].map(({ url, name, parameters }) => {
      const query = new URLSearchParams({
        url,
        ...(name !== undefined && { model_name: name }),
        ...parameters,
      });
      return `curl -X POST '${base}/models?${query.toString()}'`;
    }),
  };
}

/** `all`, `standalone`, `none`, or `a.mar,name=b.mar`. */
function loadModels(properties: ReadonlyMap<string, string>, notes: string[]): readonly Archive[] {
  const text = properties.get('load_models') ?? '';
  if (['', 'none', 'standalone'].includes(text.toLowerCase())) return [];
  if (text.toLowerCase() === 'all') {
    notes.push(
      `load_models=${text}: register each archive of the model store by POST /models?url=FILE.mar (docs/torchserve.md)`,
    );
    return [];
  }
  return text.split(',').map((item) => {
    const [first = '', second] = item.split('=').map((part) => part.trim());
    return { url: second ?? first, name: second === undefined ? undefined : first, parameters: {} };
  });
}

/** By model and version: `{"noop": {"1.0": {"marName": "noop.mar", "minWorkers": 1, "batchSize": 4, …}}}`. */
function modelsJson(properties: ReadonlyMap<string, string>, notes: string[]): readonly Archive[] {
  const text = properties.get('models');
  if (text === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`models is no JSON: ${reason}`, { cause });
  }
  return entriesOf(parsed).flatMap(([name, versions]) =>
    entriesOf(versions).map(([version, said]) => {
      const fields = Object.fromEntries(entriesOf(said));
      const {
        marName,
        defaultVersion,
        minWorkers,
        maxWorkers,
        batchSize,
        maxBatchDelay,
        responseTimeout,
        ...others
      } = fields;
      const where = `models.${name}.${version}`;
      if (defaultVersion === true)
        notes.push(
          `${where}.defaultVersion: calls that name no version go where an experiment sends them, or to the highest`,
        );
      if (responseTimeout !== undefined)
        notes.push(
          `${where}.responseTimeout=${shown(responseTimeout)}: timeouts.inference holds for all models`,
        );
      for (const [key, value] of Object.entries(others))
        notes.push(`${where}.${key}=${shown(value)}: means nothing here`);
      const parameters = {
        ...whole('initial_workers', minWorkers ?? maxWorkers, 1),
        ...whole('batch_size', batchSize, 1),
        ...whole('max_batch_delay', maxBatchDelay, 0),
      };
      return { url: typeof marName === 'string' ? marName : `${name}.mar`, name, parameters };
    }),
  );
}

function whole(key: string, value: unknown, least: number): Readonly<Record<string, string>> {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least
    ? { [key]: String(value) }
    : {};
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 100);
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
