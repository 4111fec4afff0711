import type { Path } from '../../documents/source-document.ts';

/** Notes what is wrong at a path of a configuration. */
export type Refuse = (path: Path, message: string) => void;

/** A name that stays in its folder. */
export function isPlainFilename(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[/\\\0]/.test(name);
}
