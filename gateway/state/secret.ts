import { randomBytes } from 'node:crypto';
import { PredictionIds, MIN_SECRET_CHARACTERS } from '../../experiments/prediction-id.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Documents } from '../../experiments/stores/state-store.ts';

const SECRET_DOCUMENT = 'secret';

/** How often it is looked whether the store still has the secret, besides whenever a connection is there again. */
const LOOK_EVERY_MS = 1000;

/** Of more nobody signs any longer: a store has to be emptied once for each. */
const MAX_SECRETS = 8;

type Secrets = readonly [string, ...string[]];

/**
 * The secret that signs prediction ids where the configuration names none: made once, and the same for all that share the store. A
 * store that was emptied gets it back from whoever has it. A process that began in between has made one of its own: then the store has both,
 * everybody signs with the first of them, and accepts all.
 */
export class SharedSecret {
  readonly ids: PredictionIds;
  readonly #store: Documents;
  readonly #log: { error(fields: object, message: string): void };
  #secrets: Secrets;
  #timer: NodeJS.Timeout | undefined;
  #unwatch: (() => void) | undefined;
  #looking: Promise<void> | undefined;

  /** @throws StoreUnavailable where the store can't be asked; a secret of one's own would sign what no other replica takes */
  static async open(
    store: Documents,
    log: { error(fields: object, message: string): void },
  ): Promise<SharedSecret> {
    try {
      return new SharedSecret(store, log, await readOrMake(store));
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      throw new StoreUnavailable(
        `the secret that signs prediction ids is kept in the state store, which is away (${cause.message}); ` +
          'start the store, or set `secret`',
        { cause },
      );
    }
  }

  private constructor(
    store: Documents,
    log: { error(fields: object, message: string): void },
    secrets: Secrets,
  ) {
    this.#store = store;
    this.#log = log;
    this.#secrets = secrets;
    this.ids = new PredictionIds(secrets);
  }

  /** Keeps looking after it. */
  start(): void {
    const look = (): void => void this.look();
    this.#unwatch = this.#store.watchDocument(SECRET_DOCUMENT, look);
    this.#timer = setInterval(look, LOOK_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#unwatch?.();
    await this.#looking;
  }

  /** Brings this process and the store together; a store that is away is asked the next time. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
      })
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const document = await this.#store.readDocument(SECRET_DOCUMENT);
    const stored = readSecrets(document?.value);
    const lost = this.#secrets
      .filter((secret) => !stored.includes(secret))
      .slice(0, MAX_SECRETS - stored.length);
    if (lost.length > 0) {
      const value = lost.length + stored.length === 1 ? lost[0] : [...stored, ...lost];
      // Somebody else was first: it is looked again.
      if ((await this.#store.writeDocument(SECRET_DOCUMENT, value, document?.version ?? 0)) === undefined)
        return;
      this.#log.error(
        { secrets: stored.length + lost.length },
        stored.length === 0
          ? 'the state store had lost the secret that signs prediction ids; it has it again'
          : 'the state store has another secret that signs prediction ids than this process, made after it was emptied; all accept both from now on',
      );
    }
    const [first, ...others] = [...stored, ...lost];
    if (first === undefined || isSame([first, ...others], this.#secrets)) return;
    this.#secrets = [first, ...others];
    this.ids.use(this.#secrets);
  }
}

async function readOrMake(store: Documents): Promise<Secrets> {
  const known = await store.readDocument(SECRET_DOCUMENT);
  const [first, ...others] = readSecrets(known?.value);
  if (first !== undefined) return [first, ...others];
  const secret = randomBytes(32).toString('base64url');
  if ((await store.writeDocument(SECRET_DOCUMENT, secret, known?.version ?? 0)) !== undefined)
    return [secret];
  return readOrMake(store);
}

/** One, or several of which the first signs. */
function readSecrets(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values
    .filter((one) => typeof one === 'string')
    .filter(({ length }) => length >= MIN_SECRET_CHARACTERS);
}

function isSame(a: Secrets, b: Secrets): boolean {
  return a.length === b.length && a.every((secret, index) => secret === b[index]);
}
