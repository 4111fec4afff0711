import { INFERENCE } from './definitions.ts';
import type { MethodAccess } from './call-admission.ts';

/** What each method of the inference service asks of its callers; the model that a message names is asked for when it was read. */
const METHODS: Readonly<Record<string, MethodAccess>> = {
  ServerLive: { scope: 'open' },
  ServerReady: { scope: 'open' },
  ModelReady: { scope: 'open' },
  ServerMetadata: { scope: 'infer' },
  ModelMetadata: { scope: 'infer' },
  ModelConfig: { scope: 'infer' },
  ModelStatistics: { scope: 'infer' },
  RepositoryIndex: { scope: 'infer' },
  RepositoryModelLoad: { scope: 'admin:write' },
  RepositoryModelUnload: { scope: 'admin:write' },
  // To change one asks for more.
  TraceSetting: { scope: 'infer' },
  LogSettings: { scope: 'infer' },
  ModelInfer: { scope: 'infer', spends: 'rows' },
  ModelStreamInfer: { scope: 'infer', spends: 'rows', isStream: true },
};

/**
 * What is asked of callers, by a method's path.
 *
 * @throws Error for a method that declares nothing
 */
export function methodAccess(): ReadonlyMap<string, MethodAccess> {
  return new Map(
    Object.entries(INFERENCE.service).map(([name, { path }]) => {
      const access = METHODS[name];
      if (access === undefined) throw new Error(`${path} declares no scope`);
      return [path, access];
    }),
  );
}
