import type { TSchema } from 'typebox';
import { ERRORS } from '../../gateway/errors.ts';
import type { ErrorCode } from '../../gateway/errors.ts';
import { ErrorSchema } from '../../gateway/faces/openapi/common-docs.ts';
import type {
  AnswerDocs,
  ContentDocs,
  HeaderDocs,
  OperationDocs,
  ParameterDocs,
} from '../../gateway/faces/openapi/operation.ts';
import type { RouteScope } from '../../gateway/trust/scopes.ts';
import { described } from '../described.ts';
import type { Components } from './components.ts';

/** What every call with a scope may be refused with, before anything is read of it. */
const ADMISSION: readonly ErrorCode[] = [
  'unauthorized',
  'issuer_unavailable',
  'forbidden',
  'rate_limited',
  'quota_exceeded',
  'concurrency_limited',
];

/** The parameters of paths, by name. */
const PATH_PARAMETERS: Readonly<Record<string, { readonly description: string; readonly example: string }>> =
  {
    model: { description: "The model's name.", example: 'digits' },
    version: { description: 'A version of the model: a whole number above 0.', example: '1' },
    key: { description: "The experiment's key.", example: 'digits-cnn' },
    id: { description: "The key's id: the part between its underscores.", example: '5d0e8a2b91c4' },
  };

/** A route, for one of its methods. */
export interface Operation {
  readonly method: string;
  /** With parameters as `:model`. */
  readonly url: string;
  readonly scope: RouteScope;
  readonly docs: OperationDocs;
}

/** The path as OpenAPI writes it. */
export function pathOf(url: string): string {
  return url.replaceAll(/:(\w+)/g, '{$1}');
}

/** An Operation Object of OpenAPI 3.1. */
export function operationObject({ method, url, scope, docs }: Operation, components: Components): object {
  const {
    id,
    tag,
    summary,
    description,
    parameters = [],
    body,
    answers,
    errors = [],
    errorBody = ErrorSchema,
  } = docs;
  const isOpen = scope === 'open';
  const needs = isOpen ? 'Needs no key.' : `With keys it needs the scope \`${scope}\`.`;
  const refusals: readonly ErrorCode[] = [
    ...(isOpen ? [] : ADMISSION),
    ...(body === undefined ? [] : (['body_too_large'] as const)),
    ...errors,
  ];
  return {
    operationId: `${id}${url.includes('/:version') ? 'OfVersion' : ''}${method === 'PUT' && id === 'predictions' ? 'ByPut' : ''}`,
    tags: [tag],
    summary,
    description: [description, needs].filter((part) => part !== undefined).join('\n\n'),
    security: isOpen ? [] : [{ bearer: [scope] }, { apiKey: [scope] }],
    parameters: [...pathParameters(url), ...parameters.map((each) => parameterObject(each, components))],
    ...(body !== undefined && {
      requestBody: {
        description: body.description,
        required: body.required,
        content: contentObject(body.content, components),
      },
    }),
    responses: {
      ...responses(answers, components),
      ...errorResponses(refusals, Object.keys(answers), url, errorBody, components),
    },
  };
}

function pathParameters(url: string): readonly object[] {
  return [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    const known = PATH_PARAMETERS[name];
    if (known === undefined) throw new Error(`nothing is said of the path parameter ${name} of ${url}`);
    return {
      name,
      in: 'path',
      required: true,
      description: known.description,
      schema: { type: 'string' },
      example: known.example,
    };
  });
}

function parameterObject({ schema, ...rest }: ParameterDocs, components: Components): object {
  return { ...rest, schema: described(components.place(schema)) };
}

function contentObject(content: Readonly<Record<string, ContentDocs>>, components: Components): object {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, examples }]) => [
      type,
      { schema: described(components.place(schema)), ...(examples !== undefined && { examples }) },
    ]),
  );
}

function headersObject(headers: Readonly<Record<string, HeaderDocs>>, components: Components): object {
  return Object.fromEntries(
    Object.entries(headers).map(([name, { schema, ...rest }]) => [
      name,
      { ...rest, schema: described(components.place(schema)) },
    ]),
  );
}

function responses(
  answers: Readonly<Record<string, AnswerDocs>>,
  components: Components,
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, headers, content }]) => [
      status,
      {
        description,
        ...(headers !== undefined && { headers: headersObject(headers, components) }),
        ...(content !== undefined && { content: contentObject(content, components) }),
      },
    ]),
  );
}

/** By status: what the catalogue says of each error that has it. */
function errorResponses(
  codes: readonly ErrorCode[],
  taken: readonly string[],
  url: string,
  schema: TSchema,
  components: Components,
): Readonly<Record<string, object>> {
  const byStatus = new Map<string, ErrorCode[]>();
  for (const code of new Set(codes)) {
    // As Triton has it.
    const status = String(code === 'body_too_large' && url.startsWith('/v2') ? 400 : ERRORS[code].status);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => !taken.includes(status))
      .map(([status, listed]) => [
        status,
        {
          description: listed.map((code) => `- \`${code}\`: ${ERRORS[code].meaning}`).join('\n'),
          content: { 'application/json': { schema: components.place(schema) } },
        },
      ]),
  );
}
