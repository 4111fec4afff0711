import type { UpstreamDefinition } from './upstream-definition.ts';

interface VariantShare {
  readonly name: string;
  /** A whole number >= 0. */
  readonly weight: number;
}

/** A variant that is a version of the model in the repository. */
export interface LocalVariant extends VariantShare {
  readonly version: number;
  readonly upstream?: undefined;
}

/** A variant that a server elsewhere answers for. */
export interface UpstreamVariant extends VariantShare {
  readonly version?: undefined;
  readonly upstream: UpstreamDefinition;
}

export type Variant = LocalVariant | UpstreamVariant;

export function isUpstream(variant: Variant): variant is UpstreamVariant {
  return variant.upstream !== undefined;
}
