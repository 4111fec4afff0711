import { ExperimentSchema } from '../experiments/experiment-schema.ts';
import { ConfigSchema } from '../gateway/config/schema.ts';
import { described, isRecord, mapValues } from './described.ts';

/** Where editors and validators find a schema's dialect. */
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** A file's schema as it is published: what `expected` says to a terminal, `description` says to an editor. */
export interface PublishedSchema {
  readonly file: string;
  readonly text: string;
}

/** The schemas of the files that users write, as JSON Schema. */
export function publishedSchemas(): readonly PublishedSchema[] {
  return [
    publish('experiment.schema.json', "Signalbox: an experiment's file", ExperimentSchema),
    // Every string of signalbox.yaml may take its value, or a part of it, from the environment.
    publish('signalbox.schema.json', 'Signalbox: signalbox.yaml', widen(ConfigSchema)),
  ];
}

function publish(file: string, title: string, schema: unknown): PublishedSchema {
  const body = described(schema);
  const document = { $schema: DIALECT, title, ...(isRecord(body) ? body : {}) };
  return { file, text: `${JSON.stringify(document, undefined, 2)}\n` };
}

<<<<<<< HEAD
=======
type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapValues(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner)]));
}

function describe(schema: unknown): unknown {
  const inner = mapValues(schema, describe);
  if (!isRecord(inner) || typeof inner.expected !== 'string') return inner;
  const { expected } = inner;
  // What a terminal doesn't repeat, an editor shows to whoever writes it.
  const rest = Object.fromEntries(
    Object.entries(inner).filter(([key]) => key !== 'expected' && key !== 'secret'),
  );
  return 'description' in rest ? rest : { description: expected, ...rest };
}

>>>>>>> ff3f49f (Tell systemd how the service is, and everything that keeps it from starting at once; show the configuration whole, without a secret)
/** What may stand in a file before `${NAME}` and `${NAME:-default}` are replaced. */
function widen(schema: unknown): unknown {
  const inner = mapValues(schema, widen);
  const isText = isRecord(inner) && (inner.type === 'string' || Array.isArray(inner.enum));
  return isText
    ? { anyOf: [inner, { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' }] }
    : inner;
}
