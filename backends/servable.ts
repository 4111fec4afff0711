import type { Recalled } from './cache/recalled.ts';
import type { ModelSignature } from './check.ts';
import type { ClassLabels } from './class-labels.ts';
import type { ImageSpec } from './image/image-spec.ts';
import type { InferAnswer, InferRequest } from './inference.ts';
import type { ModelConfig } from './repository/model-config.ts';
import type { VersionStatistics } from './statistics.ts';

/** Instances that can be given work, and those that hang, of how many there should be. */
export interface InstanceCounts {
  readonly ready: number;
  readonly hung: number;
  readonly wanted: number;
}

/** What a version is, which stays as it is from the moment it takes traffic until it is closed. */
export interface VersionDescription extends ModelSignature, ClassLabels {
  readonly version: number;
  /** What runs it, in Triton's words: `onnxruntime_onnx` for an ONNX model. */
  readonly platform: string;
  /** What of the machine its instances run on, as `cpu`, `webgpu` or `cuda:0`; left out: it has none of its own. */
  readonly provider?: string;
  /** How an uploaded image becomes its input, and its answer classes; undefined: it takes no image calls. */
  readonly image: ImageSpec | undefined;
  /** Whether an upload goes to its input as the file it is, because a step of its own decodes it. */
  readonly takesFiles: boolean;
  readonly config: ModelConfig;
  /** A sha256 as hexadecimal: versions of the same digest and configuration give the same answers. */
  readonly digest: string;
}

/**
 * A version of a model that answers requests, whatever stands behind it. This is all that the repository, the pipeline and
 * the faces know of it; it is the same object from the moment it takes traffic until it is closed.
 */
export interface Servable {
  readonly about: VersionDescription;
  /** Requests that wait for a run. */
  readonly queued: number;
  /** How long the request has waited that has waited longest, in milliseconds; 0 where none waits; left out: it has no queue of its own. */
  readonly longestWaitMs?: number;
  /** Milliseconds that a request which comes now is expected to wait for its run; undefined where that is not known yet. */
  readonly expectedWaitMs?: number | undefined;
  /** Undefined: it has no instances of its own. */
  readonly instances: InstanceCounts | undefined;
  /** What it has done since it was loaded. */
  readonly statistics: VersionStatistics;

  /**
   * Whether a request of so many rows would run at once and keep nobody waiting that is here now: for work that is to be done from
   * spare capacity only.
   */
  hasRoomFor(rows: number): boolean;

  /**
   * Changes the number of its instances while it serves, one change after the other; left out: it has none of its own.
   *
   * @param count >= 1
   * @throws RangeError where the count is no whole number above 0; Error where a worker can't be started
   */
  resize?(count: number): Promise<void>;

  /** What is kept of an answer to uploads, before they are decoded; left out: nothing is kept. */
  recall?(files: readonly Uint8Array[]): Promise<Recalled>;

  /** @throws BackendError; InvalidImage where one of its steps decodes images */
  infer(request: InferRequest): Promise<InferAnswer>;

  /**
   * Keeps the version loaded, from the moment it was chosen for a request until that request is answered.
   *
   * @returns ends the hold; to be called once
   */
  hold(): () => void;

  /** Answers all that hold it or wait for it, then frees what it has. */
  close(): Promise<void>;
}

/** A version as answers name it; empty for a server elsewhere of which no file says the version. */
export function versionText({ version }: Pick<VersionDescription, 'version'>): string {
  return version === 0 ? '' : String(version);
}
