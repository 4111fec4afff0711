import { InvalidDocuments } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { SourceDocument } from '../../documents/source-document.ts';

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Moves the JSON text of `parameters.signalbox`, where a `config.pbtxt` has this project's own fields, to `signalbox`, where
 * a `config.yaml` has them.
 *
 * @throws InvalidDocuments where the text is no JSON, or both are there
 */
export function withSignalbox(document: SourceDocument): SourceDocument {
  const { data } = document;
  if (!isMap(data) || !isMap(data.parameters) || !isMap(data.parameters.signalbox)) return document;
  const { signalbox, ...parameters } = data.parameters;
  const place = ['parameters', 'signalbox', 'string_value'];
  const refuse = (message: string): InvalidDocuments =>
    new InvalidDocuments([document.problemAt(place, message)]);
  if (data.signalbox !== undefined) throw refuse('is there beside signalbox; expected one of the two');
  const text = isMap(signalbox) ? signalbox.string_value : undefined;
  let fields: unknown;
  try {
    if (typeof text !== 'string') throw new Error('it is no text');
    fields = JSON.parse(text);
    // What JSON.parse passes over: a key that is given twice.
    parseYaml(text, document.file);
  } catch (cause) {
    const reason = cause instanceof InvalidDocuments ? cause.problems[0]?.message : cause;
    throw refuse(`is not the JSON text of the fields under signalbox: ${String(reason)}`);
  }
  return {
    file: document.file,
    data: { ...data, parameters, signalbox: fields },
    problemAt(path, message) {
      if (path[0] !== 'signalbox') return document.problemAt(path, message);
      return { ...document.problemAt(place, message), path: document.problemAt(path, message).path };
    },
  };
}
