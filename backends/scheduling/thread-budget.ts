export interface ThreadBudget {
  /** Threads that one run may use, >= 1. */
  readonly threads: number;
  /** Threads of the device that one run takes, >= 1. */
  readonly permits: number;
}

/**
 * Shares the cores out over a version's instances: instances times threads are no more than the cores, unless the
 * configuration asks for a number of threads. Where it asks, it gets them, and all its instances may run at once.
 *
 * @param cores of the device
 * @param instances of the version, >= 1
 * @param shared threads of a run where the configuration says nothing, as the versions together may use
 * @param asked the configuration's `intra_op_thread_count`
 */
export function threadBudget(
  cores: number,
  instances: number,
  shared: number,
  asked: number | undefined,
): ThreadBudget {
  const perInstance = Math.max(1, Math.floor(cores / instances));
  if (asked !== undefined) return { threads: asked, permits: Math.min(asked, perInstance) };
  const threads = Math.max(1, Math.min(shared, perInstance));
  return { threads, permits: threads };
}
