import { useEffect, useState } from 'preact/hooks';
import { useObservable } from '../observable.ts';
import { ask } from '../session.ts';
import type { AuditPage, AuditShape } from '../shapes.ts';
import { connection, experiments } from './feed.ts';

export type AuditState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'there'; readonly entries: readonly AuditShape[]; readonly previous: number | null };

/**
 * What was done, the latest first; read again whenever where an experiment stands has changed.
 *
 * @param experiment undefined: all of them
 */
export function useAudit(
  experiment: string | undefined,
  limit: number,
): AuditState & { readonly more: () => void } {
  const isLive = useObservable(connection).kind === 'live';
  const known = useObservable(experiments);
  const versions = known?.map(({ key, standing }) => `${key} ${standing?.version ?? 0}`).join() ?? '';
  const [state, setState] = useState<AuditState>({ kind: 'loading' });
  const read = async (before: number | undefined, older: readonly AuditShape[]): Promise<void> => {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(experiment !== undefined && { experiment }),
      ...(before !== undefined && { before: String(before) }),
    });
    try {
      const { entries, previous } = await ask<AuditPage>(`audit?${query.toString()}`);
      setState({ kind: 'there', entries: [...older, ...[...entries].reverse()], previous });
    } catch (error) {
      setState({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  };
  useEffect(() => {
    if (isLive) void read(undefined, []);
  }, [experiment, isLive, versions]);
  return {
    ...state,
    more: () => {
      if (state.kind === 'there' && state.previous !== null) void read(state.previous, state.entries);
    },
  };
}
