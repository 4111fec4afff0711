import type { Path } from '../../documents/yaml-document.ts';

/**
 * Notes what is wrong with a value of the file; all that is noted is told together, once the file is read to its end.
 *
 * @param heldAgainst the other key that the value doesn't go with: where that one is wrong itself, nobody knows whether they will
 */
export type Refuse = (path: Path, message: string, heldAgainst?: Path) => void;
