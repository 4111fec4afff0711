/**
 * `fetch` for addresses that may have a user and a password in them, which `fetch` itself refuses with an error that repeats them: they
 * are sent as HTTP's basic scheme has them (RFC 7617), and are in no message.
 */
export function fetchWithCredentials(address: string | URL, init: RequestInit = {}): Promise<Response> {
  const url = new URL(address);
  const { username, password } = url;
  if (username === '' && password === '') return fetch(url, init);
  url.username = '';
  url.password = '';
  const headers = new Headers(init.headers);
  const both = `${decoded(username)}:${decoded(password)}`;
  headers.set('authorization', `Basic ${Buffer.from(both).toString('base64')}`);
  return fetch(url, { ...init, headers });
}

/** A percent sign that begins no escape stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
