import { Observable } from './observable.ts';

/** What the address names behind its `#`, so that the server knows one page only. */
export type Place =
  | { readonly view: 'experiments' }
  | { readonly view: 'experiment'; readonly key: string }
  | { readonly view: 'models' }
  | { readonly view: 'audit' }
  | { readonly view: 'nowhere' };

export const place = new Observable(placeOf(location.hash));

addEventListener('hashchange', () => {
  place.set(placeOf(location.hash));
});

export function placeOf(hash: string): Place {
  const [first = '', second, ...more] = hash.replace(/^#\/?/, '').split('/');
  if (more.length > 0) return { view: 'nowhere' };
  if (first === '' && second === undefined) return { view: 'experiments' };
  if (first === 'experiments') return second === undefined ? { view: 'experiments' } : experimentOf(second);
  if ((first === 'models' || first === 'audit') && second === undefined) return { view: first };
  return { view: 'nowhere' };
}

function experimentOf(encoded: string): Place {
  try {
    return { view: 'experiment', key: decodeURIComponent(encoded) };
  } catch {
    // An address that somebody typed, or cut short.
    return { view: 'nowhere' };
  }
}

export function hrefOf(to: Place): string {
  return to.view === 'experiment' ? `#/experiments/${encodeURIComponent(to.key)}` : `#/${to.view}`;
}
