import { parseTextProto } from '../../documents/text-proto.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { SourceDocument } from '../../documents/source-document.ts';
import { ModelConfigMessage } from './model-config-proto.ts';

/**
 * A configuration's text, in the format that its file's name says.
 *
 * @throws InvalidDocuments
 */
export function parseConfig(text: string, file: string): SourceDocument {
  return file.endsWith('.pbtxt') ? parseTextProto(text, ModelConfigMessage, file) : parseYaml(text, file);
}
