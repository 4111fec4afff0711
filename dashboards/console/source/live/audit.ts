import { useEffect, useRef, useState } from 'preact/hooks';
import { useObservable } from '../observable.ts';
import { ask } from '../session.ts';
import type { AuditPage } from '../shapes.ts';
import { audited, connection } from './feed.ts';

export type AuditState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly message: string }
  | (AuditPage & {
      readonly kind: 'there';
      /** Why no more of it can be read at the moment. */
      readonly fault?: string;
    });

/**
 * What was done, the latest first; what is done meanwhile is put before it.
 *
 * @param experiment undefined: all of them
 */
export function useAudit(
  experiment: string | undefined,
  limit: number,
): AuditState & { readonly more: () => void } {
  const isLive = useObservable(connection).kind === 'live';
  const length = useObservable(audited);
  const [state, setState] = useState<AuditState>({ kind: 'loading' });
  const known = useRef<AuditPage | undefined>(undefined);
  const reading = useRef(Promise.resolve());

  const page = async (from: 'after' | 'before' | undefined, at = 0): Promise<AuditPage> => {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(experiment !== undefined && { experiment }),
      ...(from !== undefined && { [from]: String(at) }),
    });
    const { entries, ...ends } = await ask<AuditPage>(`audit?${query.toString()}`);
    return { ...ends, entries: [...entries].reverse() };
  };
  /** One read after the other, so that each goes on from what the one before has brought. */
  const read = (next: () => Promise<AuditPage>): void => {
    reading.current = reading.current.then(async () => {
      try {
        known.current = await next();
        setState({ kind: 'there', ...known.current });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        setState(
          known.current === undefined
            ? { kind: 'failed', message }
            : { kind: 'there', ...known.current, fault: message },
        );
      }
    });
  };

  useEffect(() => {
    known.current = undefined;
    setState({ kind: 'loading' });
  }, [experiment]);
  useEffect(() => {
    if (!isLive) return;
    read(async () => {
      let { current: all } = known;
      // Shorter than it was: the state store has lost it.
      if (all === undefined || (length !== undefined && length < all.next)) return page(undefined);
      for (let isMore = true; isMore;) {
        const { entries, next }: AuditPage = await page('after', all.next);
        isMore = next > all.next;
        all = { ...all, next, entries: [...entries, ...all.entries] };
      }
      return all;
    });
  }, [experiment, isLive, length]);
  return {
    ...state,
    more: () => {
      read(async () => {
        const { current: all } = known;
        if (all === undefined || all.previous === null) return all ?? page(undefined);
        const { entries, previous } = await page('before', all.previous);
        return { ...all, previous, entries: [...all.entries, ...entries] };
      });
    },
  };
}
