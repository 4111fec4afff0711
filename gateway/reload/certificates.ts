import { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config, TlsFiles } from '../config/config.ts';
import { readTls } from '../tls.ts';
import type { TlsCredentials } from '../tls.ts';

/** Between two looks; a change counts when two of them saw the same, so that a certificate never goes with another one's key. */
const LOOK_EVERY_MS = 500;

type Plane = keyof Config['tls'];

/** By plane. */
export type CertificatesInForce = Readonly<Partial<Record<Plane, TlsCredentials>>>;

interface Watched {
  readonly plane: Plane;
  readonly files: TlsFiles;
  readonly apply: (credentials: TlsCredentials) => void;
  inForce: TlsCredentials;
  seen: TlsCredentials | undefined;
  /** Why the last look brought nothing; told once. */
  fault: string;
}

/** The planes' certificates, followed while they serve: connections that are open keep theirs, new ones get the new. */
export class Certificates {
  readonly #log: Logger;
  readonly #onReload: (result: 'success' | 'failure') => void;
  readonly #onChange: (certificates: CertificatesInForce) => void;
  readonly #watched: Watched[] = [];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  /** @param onChange told of all that are in force when one of them is another */
  constructor(
    log: Logger,
    onReload: (result: 'success' | 'failure') => void,
    onChange: (certificates: CertificatesInForce) => void = () => undefined,
  ) {
    this.#log = log;
    this.#onReload = onReload;
    this.#onChange = onChange;
  }

  /** @param apply puts other credentials in force */
  watch(plane: Plane, files: TlsFiles, inForce: TlsCredentials, apply: Watched['apply']): void {
    this.#watched.push({ plane, files, apply, inForce, seen: undefined, fault: '' });
  }

  /** When each plane's certificate ends, in seconds since 1970. */
  *expiries(): Iterable<{ readonly plane: string; readonly atSeconds: number }> {
    for (const { plane, inForce } of this.#watched) {
      yield { plane, atSeconds: Date.parse(new X509Certificate(inForce.cert).validTo) / 1000 };
    }
  }

  start(): void {
    if (this.#watched.length === 0) return;
    this.#timer = setTimeout(() => {
      void this.look().then(() => {
        if (this.#timer !== undefined) this.start();
      });
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#looking;
  }

  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      for (const watched of this.#watched) await this.#lookAt(watched);
    });
    return this.#looking;
  }

  async #lookAt(watched: Watched): Promise<void> {
    const { plane, files, inForce } = watched;
    try {
      const found = await readTls(plane, files);
      const isStill = watched.seen !== undefined && areSame(found, watched.seen);
      watched.seen = found;
      watched.fault = '';
      if (!isStill || areSame(found, inForce)) return;
      watched.apply(found);
      watched.inForce = found;
      this.#onChange(Object.fromEntries(this.#watched.map((each) => [each.plane, each.inForce])));
      this.#onReload('success');
      const { validTo } = new X509Certificate(found.cert);
      this.#log.info({ plane, validTo }, 'another certificate is in force');
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      watched.seen = undefined;
      if (fault === watched.fault) return;
      watched.fault = fault;
      this.#onReload('failure');
      this.#log.error({ plane, fault }, 'a certificate was refused; the last good one stays');
    }
  }
}

function areSame(one: TlsCredentials, other: TlsCredentials): boolean {
  return (
    one.cert.equals(other.cert) &&
    one.key.equals(other.key) &&
    (one.ca === undefined ? other.ca === undefined : other.ca !== undefined && one.ca.equals(other.ca))
  );
}
