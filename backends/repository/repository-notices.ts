import { formatProblem } from '../../documents/problem.ts';
import { reasonOfNoVersion } from './look.ts';
import type { Look, ModelLook } from './look.ts';

export interface NoticeEvents {
  /** A folder or file that holds no servable model. */
  onFolder(path: string, reason: string): void;
  /** Something in a model's configuration that is known but has no effect. */
  onWarning(model: string, warning: string): void;
}

/** Tells what is odd about the repositories' folders: once for each place and reason, not at every look. */
export class RepositoryNotices {
  readonly #events: NoticeEvents;
  /** By path the reason, by model its configuration's fingerprint. */
  readonly #told = new Map<string, string>();

  constructor(events: NoticeEvents) {
    this.#events = events;
  }

  /** A folder or file that holds no servable model. */
  folder(path: string, reason: string): void {
    if (this.#told.get(path) === reason) return;
    this.#told.set(path, reason);
    this.#events.onFolder(path, reason);
  }

  strays({ strays }: Look): void {
    for (const { path, reason } of strays) this.folder(path, reason);
  }

  /** What is odd about a model that was brought up to a look. */
  model(name: string, look: ModelLook): void {
    const { folder, settings } = look;
    if (folder.versions.length === 0) this.folder(folder.directory, reasonOfNoVersion(look));
    if (settings.kind === 'refused' || this.#told.get(name) === settings.fingerprint) return;
    this.#told.set(name, settings.fingerprint);
    for (const warning of settings.config.warnings) this.#events.onWarning(name, formatProblem(warning));
  }
}
