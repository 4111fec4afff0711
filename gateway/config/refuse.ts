import type { Path } from '../../documents/yaml-document.ts';

/** Notes what is wrong with a value of the file; all that is noted is told together, once the file is read to its end. */
export type Refuse = (path: Path, message: string) => void;
