/** What became of an input. */
export type Verdict =
  | { readonly kind: 'accepted' }
  /** As it should be: by name, and by nothing that is a fault of the reader. */
  | { readonly kind: 'refused'; readonly as: string }
  | { readonly kind: 'finding'; readonly reason: string };

export const ACCEPTED: Verdict = { kind: 'accepted' };
