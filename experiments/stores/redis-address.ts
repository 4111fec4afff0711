const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26_379;

/** An address of Redis, taken apart. */
export type RedisAddress = {
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
} & (
  | { readonly kind: 'server'; readonly host: HostPort; readonly database: number }
  | { readonly kind: 'cluster'; readonly hosts: readonly HostPort[] }
  | {
      readonly kind: 'sentinel';
      readonly hosts: readonly HostPort[];
      readonly name: string;
      readonly database: number;
    }
);

interface HostPort {
  readonly host: string;
  readonly port: number;
}

const ADDRESS =
  /^redis(?<tls>s)?(?:\+(?<kind>cluster|sentinel))?:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<hosts>[^/?#]+)(?<path>\/[^?#]*)?$/;

/** @throws TypeError where the text is no address of Redis; the message doesn't repeat its password */
export function parseRedisUrl(url: string): RedisAddress {
  const groups = ADDRESS.exec(url)?.groups;
  if (groups === undefined) throw new TypeError('is no address of Redis as redis://host:6379/0');
  const { user, password, hosts: list = '', path = '' } = groups;
  const parts = path.split('/').filter((part) => part !== '');
  const credentials = {
    tls: groups.tls === 's',
    username: user === undefined || user === '' ? undefined : decodeURIComponent(user),
    password: password === undefined ? undefined : decodeURIComponent(password),
  };
  const hosts = list
    .split(',')
    .map((text) => hostOf(text, groups.kind === 'sentinel' ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT));
  const [host] = hosts;
  switch (groups.kind) {
    case 'cluster':
      if (parts.length > 0) throw new TypeError('names a database, but a Redis cluster has only one');
      return { ...credentials, kind: 'cluster', hosts };
    case 'sentinel': {
      const [name, database] = parts;
      if (name === undefined || parts.length > 2)
        throw new TypeError('names no group; expected redis+sentinel://host:26379/NAME/0');
      return { ...credentials, kind: 'sentinel', hosts, name, database: databaseOf(database) };
    }
    default:
      if (host === undefined || hosts.length > 1 || parts.length > 1)
        throw new TypeError('names several servers or databases; expected redis://host:6379/0');
      return { ...credentials, kind: 'server', host, database: databaseOf(parts[0]) };
  }
}

function hostOf(text: string, defaultPort: number): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) {
    // Beside an @ there may be a password.
    const found = text.includes('@') ? 'something else' : `"${text}"`;
    throw new TypeError(`has ${found} where a host with its port is expected`);
  }
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  if (port < 1 || port > 65_535) throw new TypeError(`has port ${port}; expected 1 to 65535`);
  return { host: match[1] ?? match[2] ?? '', port };
}

function databaseOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^[0-9]{1,4}$/.test(text)) throw new TypeError(`has "${text}" where a database's number is expected`);
  return Number(text);
}
