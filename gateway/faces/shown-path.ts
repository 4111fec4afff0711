/** A request's path as the log has it: without the query, where some callers put their credentials. */
export function shownPath(url: string): string {
  return url.split('?', 1)[0] ?? '';
}
