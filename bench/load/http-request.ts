/** The bytes of a POST request. */
export function httpRequest(
  path: string,
  headers: Readonly<Record<string, string | number>>,
  body: Buffer,
): Buffer {
  const lines = Object.entries({ host: 'bench', ...headers, 'content-length': body.length }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
}
