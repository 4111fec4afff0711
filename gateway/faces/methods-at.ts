import type { DeclaredRoute } from './scoped-routes.ts';

/**
 * The methods that an application's routes take at a path, in the order of the alphabet; none where there is nothing at it.
 *
 * @param path without its query, as it was sent
 */
export function methodsAt(
  routes: readonly Pick<DeclaredRoute, 'method' | 'url'>[],
  path: string,
): readonly string[] {
  const parts = path.split('/');
  const methods = routes.filter(({ url }) => isAt(url.split('/'), parts)).flatMap(({ method }) => method);
  return [...new Set(methods)].sort();
}

function isAt(pattern: readonly string[], parts: readonly string[]): boolean {
  const isRest = pattern.at(-1) === '*';
  if (isRest ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  return pattern.every((part, index) => {
    if (part === '*') return true;
    return part.startsWith(':') ? parts[index] !== '' : part === parts[index];
  });
}
