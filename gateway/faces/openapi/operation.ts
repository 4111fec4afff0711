import type { TSchema } from 'typebox';
import type { ErrorCode } from '../../errors.ts';

/** A part of a plane's API, as its document groups what can be called. */
export type Tag =
  | 'Open Inference Protocol'
  | 'Images'
  | 'TorchServe'
  | 'Outcomes'
  | 'OpenFeature'
  | 'Experiments'
  | 'Rollouts'
  | 'Models'
  | 'Keys'
  | 'Audit'
  | 'Events'
  | 'Health';

/** A request or an answer as it could be. It fits its schema, and a test sends what is sent. */
export interface ExampleDocs {
  readonly summary: string;
  readonly value: unknown;
}

/** A body of one media type. A schema with an `$id` stands once in the document, under that name. */
export interface ContentDocs {
  readonly schema: TSchema;
  readonly examples?: Readonly<Record<string, ExampleDocs>>;
}

export interface ParameterDocs {
  readonly in: 'query' | 'header';
  readonly name: string;
  readonly description: string;
  readonly schema: TSchema;
  readonly example?: string | number | boolean;
}

export interface HeaderDocs {
  readonly description: string;
  readonly schema: TSchema;
  readonly example?: string | number;
}

export interface BodyDocs {
  readonly description: string;
  /** Whether a call without a body is refused. */
  readonly required: boolean;
  /** By media type. */
  readonly content: Readonly<Record<string, ContentDocs>>;
}

export interface AnswerDocs {
  readonly description: string;
  readonly headers?: Readonly<Record<string, HeaderDocs>>;
  /** By media type; left out: an empty body. */
  readonly content?: Readonly<Record<string, ContentDocs>>;
}

/** What OpenAPI says of a route, but for what its URL, its scope and the catalogue of errors say. */
export interface OperationDocs {
  /** Names the operation in generated clients; of a route that names a version with `OfVersion` after it. */
  readonly id: string;
  readonly tag: Tag;
  /** A few words. */
  readonly summary: string;
  /** Markdown. */
  readonly description?: string;
  readonly parameters?: readonly ParameterDocs[];
  readonly body?: BodyDocs;
  /** Answers that are no errors of the catalogue, by status. */
  readonly answers: Readonly<Record<number, AnswerDocs>>;
  /** What it can be refused with, beside what admission and bodies are refused with everywhere. */
  readonly errors?: readonly ErrorCode[];
  /** How its errors are written; left out: `{"error": "…"}`. */
  readonly errorBody?: TSchema;
}

/** A route that OpenAPI says nothing of, and why. */
export interface Undocumented {
  readonly undocumented: string;
}

export type RouteDocs = OperationDocs | Undocumented;
