import { randomBytes } from 'node:crypto';
import type { Documents } from '../../experiments/stores/state-store.ts';

const SECRET_DOCUMENT = 'secret';

/**
 * The secret that signs prediction ids where the configuration names none: made once, and the same for all that share the
 * store.
 *
 * @throws StoreUnavailable where the store can't be asked; a secret of one's own would sign what no other replica takes
 */
export async function storedSecret(store: Documents): Promise<string> {
  const known = await store.readDocument(SECRET_DOCUMENT);
  if (typeof known?.value === 'string') return known.value;
  const secret = randomBytes(32).toString('base64url');
  if ((await store.writeDocument(SECRET_DOCUMENT, secret, known?.version ?? 0)) !== undefined) return secret;
  return storedSecret(store);
}
