import type { NewKey } from '../../gateway/trust/api-key.ts';

/** A `keys.yaml` of these keys, each with its further fields, as `scopes: [infer], models: [mine]`. */
export function keysYaml(...keys: readonly (readonly [key: NewKey, fields: string])[]): string {
  const lines = keys.map(([{ id, hash }, fields]) => `  - { id: "${id}", hash: "${hash}", ${fields} }\n`);
  return `keys:\n${lines.join('')}`;
}
