/** What Node gives V8 where nobody says otherwise. */
const MOST_THREADS = 4;

/**
 * V8 watches which objects live long, by where they are allocated, and then allocates their like among the old ones at once. What is watched while many
 * requests are under way looks as if it lived long. Of each request something was old from then on, and kept the rest in memory until all the
 * old ones were collected; a collection of the young ones took 15 ms in place of one, in some processes from some moment on.
 */
const YOUNG_AT_FIRST = '--no-allocation-site-pretenuring';

/**
 * When a process has had little to do for some seconds, V8 collects all of its garbage and makes the heap as small as it goes. When the calls are back, the heap
 * grows step by step, with a full collection at each: four within 25 s, each of which takes a core for 50 ms.
 */
const HEAP_STAYS = '--no-memory-reducer';

/**
 * The flags of Node that the serving process runs with, so that collections of garbage hold up as few requests as possible.
 *
 * V8 has four threads for that and for compiling, however many cores there are. On few cores they take turns with the thread that answers, all of
 * them at once, and every request waits that comes meanwhile; so one core is left to that thread.
 *
 * @param cores that the process may use, >= 1
 * @param given what it is started with anyway: Node's flags, and the environment's `NODE_OPTIONS`. What is said there is not overruled
 */
export function nodeFlags(cores: number, given: readonly string[]): readonly string[] {
  // Node and V8 take both.
  const said = given.join(' ').replaceAll('_', '-');
  const flags: string[] = [];
  if (!/--(no-)?allocation-site-pretenuring\b/.test(said)) flags.push(YOUNG_AT_FIRST);
  if (!/--(no-)?memory-reducer\b/.test(said)) flags.push(HEAP_STAYS);
  if (cores <= MOST_THREADS && !/--v8-pool-size\b/.test(said))
    flags.push(`--v8-pool-size=${Math.max(1, cores - 1)}`);
  return flags;
}
