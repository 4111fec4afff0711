import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where tests keep what they install or build, for the user: a fresh clone, or `npm ci`, has nothing to make anew. */
export const KEPT_FOLDER = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'signalbox-tests');
