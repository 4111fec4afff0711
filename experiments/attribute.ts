import type { Variant } from './variant.ts';

/** A place in a request whose value an experiment may look at. */
export type AttributeSource =
  | { readonly kind: 'header'; /** Lower case. */ readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  /** A request parameter of the inference protocol: it stands in the body. */
  | { readonly kind: 'parameter'; readonly name: string }
  /** The id of the caller's key, never its secret. */
  | { readonly kind: 'apiKey' };

/** What names the unit; `none`: nothing does, so that each request is a unit of its own. */
export type UnitSource = AttributeSource | { readonly kind: 'none' };

/** The head of an input tensor, as it was sent. */
export interface InputMetadata {
  readonly name: string;
  readonly datatype: string;
  /** Rows first, as `[8, 3, 224, 224]`. */
  readonly shape: readonly number[];
}

/** What a decision may look at: the caller's words, and which versions can answer now. */
export interface Caller {
  /** The value of the `X-Experiment` request header. */
  override(): string | undefined;
  attribute(source: AttributeSource): string | undefined;
  /** The name of the unit; undefined or empty where the request names none. */
  unit(source: UnitSource): string | undefined;
  /** The request's input tensors; empty where its face can't tell them before the call is routed. */
  inputs(): readonly InputMetadata[];
  /** Whether the caller may know of that model; to one who may not, its experiments are not there. */
  mayKnow(model: string): boolean;
  /** Whether that variant of the called model can answer now. */
  isReady(variant: Variant): boolean;
}

/** A value of JSON as experiments compare it; a list, an object and null are none. Whole numbers that a double can't hold come as bigints. */
export function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return undefined;
  }
}

/** Whether a value stands in the body, which has to be read before the call can be routed. */
export function standsInBody({ kind }: UnitSource): boolean {
  return kind === 'parameter';
}

/** `header x-user-id`, as messages name it. */
export function nameSource(source: UnitSource): string {
  switch (source.kind) {
    case 'apiKey':
      return 'API key';
    case 'none':
      return 'no unit';
    default:
      return `${source.kind} ${source.name}`;
  }
}
