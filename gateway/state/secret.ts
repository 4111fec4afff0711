import { randomBytes } from 'node:crypto';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Documents } from '../../experiments/stores/state-store.ts';

const SECRET_DOCUMENT = 'secret';

/**
 * The secret that signs prediction ids where the configuration names none: made once, and the same for all that share the
 * store.
 *
 * @throws StoreUnavailable where the store can't be asked; a secret of one's own would sign what no other replica takes
 */
export async function storedSecret(store: Documents): Promise<string> {
  try {
    return await readOrMake(store);
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    throw new StoreUnavailable(
      `the secret that signs prediction ids is kept in the state store, which is away (${cause.message}); ` +
        'start the store, or set `secret`',
      { cause },
    );
  }
}

async function readOrMake(store: Documents): Promise<string> {
  const known = await store.readDocument(SECRET_DOCUMENT);
  if (typeof known?.value === 'string') return known.value;
  const secret = randomBytes(32).toString('base64url');
  if ((await store.writeDocument(SECRET_DOCUMENT, secret, known?.version ?? 0)) !== undefined) return secret;
  return readOrMake(store);
}
