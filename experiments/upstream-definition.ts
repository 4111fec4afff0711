import type { Static } from 'typebox';
import type { Path } from '../documents/yaml-document.ts';
import type { UpstreamSchema } from './upstream-schema.ts';

type UpstreamFile = Static<typeof UpstreamSchema>;

/** What an upstream speaks: the Open Inference Protocol, TorchServe's inference API, or any HTTP of its own. */
export type UpstreamProtocol = 'v2' | 'torchserve' | 'http';

/** A server that answers for a variant, every default filled in. Times are in milliseconds. */
export interface UpstreamDefinition {
  /** Scheme, host, port and the path before the protocol's own, without a slash at its end. */
  readonly url: string;
  readonly protocol: UpstreamProtocol;
  /** The model's name on that server; of no meaning with `http`. */
  readonly model: string;
  /** The version on that server; undefined: the server chooses. */
  readonly version: number | undefined;
  /** Where the server takes requests, with `http`. */
  readonly path: string;
  /** How tensors go to a `v2` server where the gateway encodes them. */
  readonly tensors: 'binary' | 'json';
  /** By lower-case name; the server gets them in place of the caller's. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeouts: { readonly connectMs: number; readonly headersMs: number; readonly totalMs: number };
  /** At most so many at once. */
  readonly connections: number;
  /** How often a request is tried again at the most. */
  readonly retries: number;
  readonly breaker: { readonly failures: number; readonly openForMs: number };
  readonly health: {
    readonly path: string;
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly unhealthyAfter: number;
    readonly healthyAfter: number;
  };
}

type Refuse = (path: Path, message: string) => void;

/** Headers that belong to one connection or to the message's framing, which the gateway writes itself. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A name or an address, and a port: what a server in front of others routes by. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;

/**
 * @param model the experiment's model, whose name the upstream's is where the file says none
 * @param path where the upstream stands in the file
 */
export function readUpstream(
  file: UpstreamFile,
  model: string,
  path: Path,
  refuse: Refuse,
): UpstreamDefinition {
  const protocol = file.protocol ?? 'v2';
  const upstreamModel = file.model ?? model;
  refuseForeignKeys(file, protocol, path, refuse);
  const duration = (keys: readonly string[], text: string): number => {
    const ms = millisecondsOf(text);
    if (!Number.isInteger(ms) || ms < 1 || ms > LONGEST_MS)
      refuse([...path, ...keys], `is ${text}; expected whole milliseconds, from 1ms to 24h`);
    return ms;
  };
  const { timeouts = {}, breaker = {}, health = {} } = file;
  return Object.freeze({
    url: readUrl(file.url, [...path, 'url'], refuse),
    protocol,
    model: upstreamModel,
    version: file.version,
    path: file.path ?? '/predict',
    tensors: file.tensors ?? 'binary',
    headers: readHeaders(file.headers ?? {}, [...path, 'headers'], refuse),
    timeouts: {
      connectMs: duration(['timeouts', 'connect'], timeouts.connect ?? '1s'),
      headersMs: duration(['timeouts', 'headers'], timeouts.headers ?? '10s'),
      totalMs: duration(['timeouts', 'total'], timeouts.total ?? '30s'),
    },
    connections: file.connections ?? 128,
    retries: file.retries ?? 1,
    breaker: {
      failures: breaker.failures ?? 5,
      openForMs: duration(['breaker', 'openFor'], breaker.openFor ?? '5s'),
    },
    health: {
      path: health.path ?? healthPath(protocol, upstreamModel, file.version),
      intervalMs: duration(['health', 'interval'], health.interval ?? '5s'),
      timeoutMs: duration(['health', 'timeout'], health.timeout ?? '2s'),
      unhealthyAfter: health.unhealthyAfter ?? 2,
      healthyAfter: health.healthyAfter ?? 1,
    },
  });
}

/** Where a `v2` server says what a model takes and gives. */
export function v2ModelPath({ model, version }: Pick<UpstreamDefinition, 'model' | 'version'>): string {
  const ofVersion = version === undefined ? '' : `/versions/${version}`;
  return `/v2/models/${encodeURIComponent(model)}${ofVersion}`;
}

function healthPath(protocol: UpstreamProtocol, model: string, version: number | undefined): string {
  if (protocol === 'v2') return `${v2ModelPath({ model, version })}/ready`;
  return protocol === 'torchserve' ? '/ping' : '/health';
}

/** A key that the protocol has no use for would be passed over in silence. */
function refuseForeignKeys(file: UpstreamFile, protocol: UpstreamProtocol, path: Path, refuse: Refuse): void {
  const foreign: readonly (keyof UpstreamFile)[] =
    protocol === 'v2'
      ? ['path']
      : protocol === 'http'
        ? ['model', 'version', 'tensors']
        : ['path', 'tensors'];
  for (const key of foreign) {
    if (file[key] !== undefined) refuse([...path, key], `goes with another protocol than ${protocol}`);
  }
}

function readUrl(text: string, path: Path, refuse: Refuse): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    // A password may stand in it, so then it is not repeated.
    const shown = text.includes('@') ? 'no address' : JSON.stringify(text);
    refuse(path, `is ${shown}; expected an address as http://triton:8000`);
    return '';
  }
  if (url.username !== '' || url.password !== '')
    refuse(path, 'has a user or a password in it; send them in upstream.headers (authorization)');
  if (url.search !== '' || url.hash !== '')
    refuse(path, 'has a query or a fragment; expected scheme, host, port and path only');
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function readHeaders(
  file: Readonly<Record<string, string>>,
  path: Path,
  refuse: Refuse,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(file)) {
    const lower = name.toLowerCase();
    if (lower === 'host' && !HOST.test(value))
      refuse(
        [...path, name],
        `is ${JSON.stringify(value.slice(0, 64))}; expected a host as digits.models.example.com, with a port where one belongs to it`,
      );
    if (FRAMING.has(lower)) refuse([...path, name], 'is written by the gateway itself; leave it out');
    if (Object.hasOwn(headers, lower)) refuse([...path, name], 'is there twice, in another spelling');
    headers[lower] = value;
  }
  return headers;
}

/** Longer than anybody waits for a prediction, and well within what timers take. */
const LONGEST_MS = 24 * 3_600_000;

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `10s` becomes 10000. */
function millisecondsOf(duration: string): number {
  const unit = duration.replace(/^[0-9.]+/, '');
  return Number.parseFloat(duration) * MS[unit as keyof typeof MS];
}
