import { createHash } from 'node:crypto';
import { DEFAULT_MODEL_CONFIG } from '../../backends/repository/model-config.ts';
import type { VersionDescription } from '../../backends/servable.ts';
import type { UpstreamDefinition } from '../../experiments/upstream-definition.ts';
import type { V2Metadata } from './v2-codec.ts';

/** What a model's own version here tells of a server's: how images become its input, and what its classes are called. */
export type LocalVersion = Pick<VersionDescription, 'image' | 'labels' | 'outputLabels'>;

/** What a variant that lives elsewhere is, as far as its server and the model's own version here tell. */
export class UpstreamDescription implements VersionDescription {
  readonly model: string;
  /** On its own server; 0 where the file says none. */
  readonly version: number;
  readonly config = DEFAULT_MODEL_CONFIG;
  readonly digest: string;
  readonly takesFiles = false;
  /** Undefined until its server has told, which only one that speaks v2 does. */
  metadata: V2Metadata | undefined;
  readonly #local: () => LocalVersion | undefined;

  /** @param local how images become its input, and what its classes are called */
  constructor(
    model: string,
    { url, protocol, model: served, version, path }: UpstreamDefinition,
    local: () => LocalVersion | undefined,
  ) {
    this.model = model;
    this.version = version ?? 0;
    this.digest = createHash('sha256')
      .update(JSON.stringify([url, protocol, served, version, path]))
      .digest('hex');
    this.#local = local;
  }

  get platform(): string {
    return this.metadata?.platform ?? '';
  }

  get inputs(): VersionDescription['inputs'] {
    return this.metadata?.inputs ?? [];
  }

  get outputs(): VersionDescription['outputs'] {
    return this.metadata?.outputs ?? [];
  }

  /** The server alone knows how many rows it takes; that it batches shows in a free first dimension. */
  get maxBatchSize(): number {
    const batches = this.inputs.length > 0 && this.inputs.every(({ shape }) => shape[0] === -1);
    return batches ? Number.MAX_SAFE_INTEGER : 0;
  }

  get image(): VersionDescription['image'] {
    return this.#local()?.image;
  }

  get labels(): readonly string[] {
    return this.#local()?.labels ?? [];
  }

  get outputLabels(): VersionDescription['outputLabels'] {
    return this.#local()?.outputLabels;
  }
}
