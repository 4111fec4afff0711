/** A version of a model, as metrics name it. */
export interface NamedVersion {
  readonly model: string;
  readonly version: number;
}

/** As long as a version's series are told after it was unloaded: whoever looks at the last hour still sees it. */
const KEPT_MS = 3_600_000;

/** Which versions were loaded, and are so no more: without an end their series would grow with every release, for as long as the process lives. */
export class PastVersions {
  readonly #lastSeen = new Map<string, { readonly of: NamedVersion; readonly atMs: number }>();

  /**
   * @param loaded at this moment
   * @param nowMs by a clock that is never set
   * @returns those that have been unloaded for an hour, each once
   */
  gone(loaded: Iterable<NamedVersion>, nowMs: number): readonly NamedVersion[] {
    for (const of of loaded) this.#lastSeen.set(`${of.model} ${of.version}`, { of, atMs: nowMs });
    const gone: NamedVersion[] = [];
    for (const [key, { of, atMs }] of this.#lastSeen) {
      if (nowMs - atMs < KEPT_MS) continue;
      this.#lastSeen.delete(key);
      gone.push(of);
    }
    return gone;
  }
}
