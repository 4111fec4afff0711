/** A place where a rollout stops, or would. */
export interface Station {
  readonly label: string;
  /** What is waited for there; empty: nothing. */
  readonly detail: string;
  readonly state: 'passed' | 'here' | 'ahead';
}

/** A rollout as a line with its stops. */
export interface Track {
  readonly stations: readonly Station[];
  /** Where it stands, and why. */
  readonly headline: string;
  readonly why: string;
  readonly tone: 'good' | 'bad' | 'open' | 'still';
}
