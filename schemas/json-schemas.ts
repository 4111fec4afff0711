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

/** What may stand in a file before `${NAME}` and `${NAME:-default}` are replaced. */
function widen(schema: unknown): unknown {
  const inner = mapValues(schema, widen);
  const isText = isRecord(inner) && (inner.type === 'string' || Array.isArray(inner.enum));
  return isText
    ? { anyOf: [inner, { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' }] }
    : inner;
}
