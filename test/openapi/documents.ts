import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';

export interface MediaType {
  readonly schema: object;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface DocumentedAnswer {
  readonly description: string;
  readonly content?: Readonly<Record<string, MediaType>>;
}

export interface DocumentedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly parameters: readonly {
    readonly in: string;
    readonly name: string;
    readonly schema: object;
    readonly example?: unknown;
  }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, MediaType>>;
  };
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
}

/** An OpenAPI document, as far as tests look. */
export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export type DocumentName = 'data' | 'admin';

export async function committed(name: DocumentName): Promise<OpenApi> {
  const text = await readFile(new URL(`../../docs/openapi/${name}.json`, import.meta.url), 'utf8');
  return JSON.parse(text) as OpenApi;
}

export function operationsOf({ paths }: OpenApi) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
}

/** Checks values against the schemas of a document. An object that doesn't say that it is open has no other fields than the documented ones. */
export class SchemaChecker {
  readonly #ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  readonly #compiled = new Map<object, ValidateFunction>();

  constructor({ components }: OpenApi) {
    this.#ajv.addSchema({ $id: 'document', components: closed(components) as object });
  }

  /** What of a value doesn't fit. */
  problems(schema: object, value: unknown): readonly string[] {
    let check = this.#compiled.get(schema);
    if (check === undefined) {
      check = this.#ajv.compile(closed(schema) as object);
      this.#compiled.set(schema, check);
    }
    check(value);
    return (check.errors ?? []).map(
      ({ instancePath, message = '', params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === '$ref' ? `document${String(value)}` : closed(value),
    ]),
  );
  return inner.type === 'object' && 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}
