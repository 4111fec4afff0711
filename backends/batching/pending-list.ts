import type { Pending } from './pending.ts';

/**
 * Requests in an order, each in one list at a time; coming and going cost the same however many there are.
 *
 * The requests themselves are linked, and lose their links as they go: a `Set` that many pass through is copied again and again, and what its
 * old copies hold stays in memory until the next collection of the old generation, a request with all that belongs to it each. The collections of
 * the young one, which hold the event loop up, then took several times as long.
 */
export class PendingList {
  #first: Pending | undefined;
  #last: Pending | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(pending: Pending): void {
    this.#insert(pending, undefined);
  }

  /** Puts a request before all that came after it. */
  putBack(pending: Pending): void {
    let before = this.#first;
    while (before !== undefined && before.number < pending.number) before = before.place?.next;
    this.#insert(pending, before);
  }

  /** @returns whether it was there */
  remove(pending: Pending): boolean {
    const { place } = pending;
    if (place?.list !== this) return false;
    const { previous, next } = place;
    if (previous?.place === undefined) this.#first = next;
    else previous.place.next = next;
    if (next?.place === undefined) this.#last = previous;
    else next.place.previous = previous;
    // Where this place has reached the old generation, its neighbours must not be kept by it.
    place.previous = undefined;
    place.next = undefined;
    pending.place = undefined;
    this.#size -= 1;
    return true;
  }

  /** In their order; whoever removes some while they are visited visits a copy. */
  *[Symbol.iterator](): Generator<Pending, void> {
    for (let pending = this.#first; pending !== undefined; pending = pending.place?.next) yield pending;
  }

  /** @param before left out: at the end */
  #insert(pending: Pending, before: Pending | undefined): void {
    const previous = before === undefined ? this.#last : before.place?.previous;
    pending.place = { list: this, previous, next: before };
    if (previous?.place === undefined) this.#first = pending;
    else previous.place.next = pending;
    if (before?.place === undefined) this.#last = pending;
    else before.place.previous = pending;
    this.#size += 1;
  }
}
