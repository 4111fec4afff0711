/** Which of a model's versions are served. */
export type VersionPolicy =
  | { readonly kind: 'all' }
  /** The `count` highest, `count` >= 1. */
  | { readonly kind: 'latest'; readonly count: number }
  | { readonly kind: 'specific'; readonly versions: readonly number[] };

/**
 * @param available the versions that the folder holds, ascending
 * @returns those that the policy wants, ascending; a specific version that isn't there is among them
 */
export function selectVersions(policy: VersionPolicy, available: readonly number[]): readonly number[] {
  switch (policy.kind) {
    case 'all':
      return available;
    case 'latest':
      return available.slice(-policy.count);
    case 'specific':
      return [...new Set(policy.versions)].sort((a, b) => a - b);
  }
}
