import type { CertificatesInForce } from './reload/certificates.ts';
import type { ExperimentText } from './reload/experiment-files.ts';

/**
 * What is in force of the files that are followed, for a process that takes over from one that died: of a file that is being edited just then the last
 * good version stays, as it would have.
 */
export interface LastGood {
  /** Left out: there are none. */
  readonly experiments?: readonly ExperimentText[];
  /** The text of the file of keys; left out: there is none. */
  readonly keys?: string;
  readonly certificates?: CertificatesInForce;
}
