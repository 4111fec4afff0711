import type { ServedModel } from '../../backends/repository/served-model.ts';
import { textOf } from '../../experiments/attribute.ts';
import type { AttributeSource, Caller, InputMetadata, UnitSource } from '../../experiments/attribute.ts';
import type { Variant } from '../../experiments/variant.ts';
import { isFor } from '../trust/rights.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { Call, Decoded } from './call.ts';
import { apiKeyId } from './api-key-id.ts';
import { cookieValue } from './cookie.ts';

/** A call as experiments see it. It is made for each request, so it has no closures. */
export class RoutedCaller implements Caller {
  readonly #call: Call;
  readonly #model: ServedModel | undefined;
  readonly #upstreams: Upstreams;
  readonly #body: Decoded | undefined;

  /**
   * @param model undefined where the repository has none of that name
   * @param body undefined where it is read after the call is routed
   */
  constructor(call: Call, model: ServedModel | undefined, upstreams: Upstreams, body: Decoded | undefined) {
    this.#call = call;
    this.#model = model;
    this.#upstreams = upstreams;
    this.#body = body;
  }

  override(): string | undefined {
    return this.#call.header('x-experiment');
  }

  unit(source: UnitSource): string | undefined {
    return source.kind === 'none' ? undefined : this.attribute(source);
  }

  attribute(source: AttributeSource): string | undefined {
    switch (source.kind) {
      case 'header':
        return this.#call.header(source.name);
      case 'query':
        return firstText(ownValue(this.#call.query, source.name));
      case 'cookie':
        return cookieValue(this.#call.header('cookie'), source.name);
      case 'parameter':
        return firstText(ownValue(this.#body?.parameters, source.name));
      case 'apiKey':
        return apiKeyId(this.#call);
    }
  }

  inputs(): readonly InputMetadata[] {
    return this.#body?.inputs ?? [];
  }

  mayKnow(model: string): boolean {
    return isFor(this.#call.principal, model);
  }

  isReady(variant: Variant): boolean {
    if (variant.upstream === undefined) return this.#model?.version(variant.version) !== undefined;
    const speaks = this.#call.answerableBy.includes(variant.upstream.protocol);
    return speaks && this.#upstreams.of(variant)?.isReady === true;
  }
}

function ownValue(values: Readonly<Record<string, unknown>> | undefined, name: string): unknown {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
}

/** Of a value that stands several times the first; a list or an object in it is no value. */
function firstText(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return textOf(first);
}
