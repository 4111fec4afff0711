/** How much of its weight an observation keeps when the next one comes: the last fifty or so count. */
const FORGETTING = 0.98;

/** Runs that must have been seen before anything is predicted. */
const FEWEST_OBSERVATIONS = 4;

/** Residuals beyond this many mean absolute residuals are cut to it. */
const HUBER_CUT = 3;

/** So many residuals in a row that were cut on the same side are a change, and no outliers. */
const CUTS_OF_A_CHANGE = 5;

/** What is left of the weight of all that was learnt before a change. */
const KEPT_AT_A_CHANGE = 0.05;

/** Observations whose residuals are not cut, as there is no scale to judge them by yet. */
const UNCUT_OBSERVATIONS = 8;

/** Runs that vary by less than this, as a share of the mean square of the rows, say nothing about the slope. */
const LEAST_SPREAD = 1e-3;

/** Without a run for so long, what was learnt is taken for history. */
const STALE_AFTER_MS = 1000;

/**
 * What a run of a version costs: `duration = a + b · rows`, learnt while it serves.
 *
 * Least squares with exponential forgetting (Haykin, Adaptive Filter Theory, chapter 9, with a forgetting factor of
 * 0.98). A residual of more than three mean absolute residuals is cut to that before it is learnt from (Huber, Robust
 * Estimation of a Location Parameter, 1964): one run that the operating system interrupted moves the line little. Five in
 * a row that were cut on the same side are a lasting change: what was learnt before then counts little. Both `a` and `b` are at least 0. While
 * all runs have had the same number of rows, the line is not known: smaller runs are then taken to cost as much, and
 * bigger ones more in proportion.
 */
export class CostModel {
  #weight = 0;
  #rows = 0;
  #rowsSquared = 0;
  #ms = 0;
  #rowsMs = 0;
  #observations = 0;
  #meanResidualMs = 0;
  #observedAtMs = -Infinity;
  #fixedMs = 0;
  #perRowMs = 0;
  /** The one size that all runs had; undefined when the line is known. */
  #onlyRows: number | undefined;
  /** Residuals in a row that were cut: positive ones where they were too long, negative where too short. */
  #cuts = 0;

  /** Milliseconds of a run that don't depend on its rows. */
  get fixedMs(): number {
    return this.#fixedMs;
  }

  /** Milliseconds that each row adds. */
  get perRowMs(): number {
    return this.#perRowMs;
  }

  /** Mean absolute difference between the line and the runs, in milliseconds. */
  get meanResidualMs(): number {
    return this.#meanResidualMs;
  }

  /** Whether there is enough to go by. */
  get isKnown(): boolean {
    return this.#observations >= FEWEST_OBSERVATIONS;
  }

  /** Whether a run was seen lately, so that what was learnt can be believed. */
  isFresh(nowMs: number): boolean {
    return nowMs - this.#observedAtMs < STALE_AFTER_MS;
  }

  /** Milliseconds that a run of so many rows takes; undefined while too few were seen. */
  predictMs(rows: number): number | undefined {
    return this.isKnown ? this.#lineAt(rows) : undefined;
  }

  /** Learns from a run that ended at `nowMs`. */
  observe(rows: number, durationMs: number, nowMs: number): void {
    const expectedMs = this.#observations === 0 ? durationMs : this.#lineAt(rows);
    const residualMs = this.#cut(durationMs - expectedMs, expectedMs);
    const ms = expectedMs + residualMs;
    this.#observations += 1;
    this.#observedAtMs = nowMs;
    const share = Math.max(1 - FORGETTING, 1 / this.#observations);
    this.#meanResidualMs += share * (Math.abs(residualMs) - this.#meanResidualMs);
    this.#weight = this.#weight * FORGETTING + 1;
    this.#rows = this.#rows * FORGETTING + rows;
    this.#rowsSquared = this.#rowsSquared * FORGETTING + rows * rows;
    this.#ms = this.#ms * FORGETTING + ms;
    this.#rowsMs = this.#rowsMs * FORGETTING + rows * ms;
    this.#fit();
  }

  /** A residual, cut where it is an outlier. */
  #cut(residualMs: number, expectedMs: number): number {
    if (this.#observations < UNCUT_OBSERVATIONS) return residualMs;
    // A scale of exactly nothing would cut every change away.
    const mostMs = HUBER_CUT * Math.max(this.#meanResidualMs, 0.01 * expectedMs);
    if (Math.abs(residualMs) <= mostMs) {
      this.#cuts = 0;
      return residualMs;
    }
    const side = Math.sign(residualMs);
    this.#cuts = Math.sign(this.#cuts) === side ? this.#cuts + side : side;
    if (Math.abs(this.#cuts) < CUTS_OF_A_CHANGE) return side * mostMs;
    this.#cuts = 0;
    this.#weight *= KEPT_AT_A_CHANGE;
    this.#rows *= KEPT_AT_A_CHANGE;
    this.#rowsSquared *= KEPT_AT_A_CHANGE;
    this.#ms *= KEPT_AT_A_CHANGE;
    this.#rowsMs *= KEPT_AT_A_CHANGE;
    return residualMs;
  }

  #fit(): void {
    const meanRows = this.#rows / this.#weight;
    const meanMs = this.#ms / this.#weight;
    const variance = this.#rowsSquared / this.#weight - meanRows * meanRows;
    if (variance < LEAST_SPREAD * meanRows * meanRows) {
      this.#onlyRows = meanRows;
      this.#fixedMs = meanMs;
      this.#perRowMs = 0;
      return;
    }
    this.#onlyRows = undefined;
    const slope = (this.#rowsMs / this.#weight - meanRows * meanMs) / variance;
    const intercept = meanMs - slope * meanRows;
    if (slope < 0) {
      this.#perRowMs = 0;
      this.#fixedMs = meanMs;
    } else if (intercept < 0) {
      // Least squares through the origin: the best line of those that are allowed.
      this.#perRowMs = this.#rowsMs / this.#rowsSquared;
      this.#fixedMs = 0;
    } else {
      this.#perRowMs = slope;
      this.#fixedMs = intercept;
    }
  }

  #lineAt(rows: number): number {
    if (this.#onlyRows !== undefined) return this.#fixedMs * Math.max(1, rows / this.#onlyRows);
    return this.#fixedMs + this.#perRowMs * rows;
  }
}
