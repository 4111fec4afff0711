/** What the soak tells the process that serves. */
export type ToSwapServer = 'swap' | 'stop';

export type FromSwapServer =
  | { readonly kind: 'ready'; readonly port: number }
  /** The new version takes the traffic. `rssBytes`: the process's memory when the version before it was gone. */
  | { readonly kind: 'swapped'; readonly rssBytes: number }
  | { readonly kind: 'failed'; readonly reason: string };
