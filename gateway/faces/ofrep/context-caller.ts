import type { ServedModel } from '../../../backends/repository/served-model.ts';
import type { Variant } from '../../../experiments/variant.ts';
import type { Upstreams } from '../../upstream/upstreams.ts';
import { textOf } from '../../../experiments/attribute.ts';
import type { AttributeSource, Caller, InputMetadata } from '../../../experiments/attribute.ts';

/** An evaluation context of OpenFeature: what a client knows of the one it asks for. */
export interface EvaluationContext {
  readonly targetingKey: string;
  /** Everything else. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/**
 * The one that an evaluation is for, as experiments see it. Whatever names units in inference calls, here the targeting key
 * does. Headers, query parameters, cookies and request parameters are attributes of the same name, the key's id is
 * `apiKey`; there are no inputs.
 */
export class ContextCaller implements Caller {
  readonly #context: EvaluationContext;
  readonly #model: ServedModel | undefined;
  readonly #upstreams: Upstreams;

  constructor(context: EvaluationContext, model: ServedModel | undefined, upstreams: Upstreams) {
    this.#context = context;
    this.#model = model;
    this.#upstreams = upstreams;
  }

  override(): undefined {
    return undefined;
  }

  unit(): string {
    return this.#context.targetingKey;
  }

  attribute(source: AttributeSource): string | undefined {
    const { attributes } = this.#context;
    const name = source.kind === 'apiKey' ? 'apiKey' : source.name;
    if (Object.hasOwn(attributes, name)) return textOf(attributes[name]);
    if (source.kind !== 'header') return undefined;
    // Header names have no case, attributes have.
    const spelled = Object.keys(attributes).find((key) => key.toLowerCase() === name);
    return spelled === undefined ? undefined : textOf(attributes[spelled]);
  }

  inputs(): readonly InputMetadata[] {
    return [];
  }

  /** Only the flags that it may know of are evaluated for it. */
  mayKnow(): boolean {
    return true;
  }

  isReady(variant: Variant): boolean {
    return variant.upstream === undefined
      ? this.#model?.version(variant.version) !== undefined
      : this.#upstreams.of(variant)?.isReady === true;
  }
}
