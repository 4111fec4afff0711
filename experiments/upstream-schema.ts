import { Type } from 'typebox';

const only = { additionalProperties: false } as const;

const Duration = (expected: string) =>
  Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$', expected: `${expected}, as 500ms, 10s or 1m` });

const Times = (what: string) =>
  Type.Integer({ minimum: 1, maximum: 100, expected: `${what}, from 1 to 100` });

const UrlPath = (what: string) =>
  Type.String({ pattern: '^/[^\\s?#]*$', maxLength: 500, expected: `${what}, a path as /health` });

/** The server that answers for a variant which doesn't live in the gateway itself. */
export const UpstreamSchema = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 500,
      expected: "the server's address, as http://triton:8000 or https://models.example.com/serving",
    }),
    protocol: Type.Optional(Type.Enum(['v2', 'torchserve', 'http'])),
    model: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$',
        expected: 'the model\'s name on that server: letters, digits, ".", "_", ":" and "-"',
      }),
    ),
    version: Type.Optional(
      Type.Integer({ minimum: 1, expected: "the model's version on that server, a whole number > 0" }),
    ),
    path: Type.Optional(UrlPath('where the server takes requests')),
    tensors: Type.Optional(Type.Enum(['binary', 'json'])),
    headers: Type.Optional(
      Type.Record(
        Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }),
        Type.String({
          pattern: '^[ -~]*$',
          maxLength: 8192,
          expected: "a header's value, printable ASCII",
          secret: true,
        }),
        { expected: "a map of headers that the server gets beside the caller's" },
      ),
    ),
    timeouts: Type.Optional(
      Type.Object(
        {
          connect: Type.Optional(Duration('the time to connect')),
          headers: Type.Optional(
            Duration("the time from the request, with its body, to the answer's headers"),
          ),
          total: Type.Optional(
            Duration('the time from the request, with its body, to the end of the answer'),
          ),
        },
        { ...only, expected: 'a map of connect, headers and total' },
      ),
    ),
    connections: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, expected: 'a number of connections, from 1 to 10000' }),
    ),
    retries: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 3, expected: 'how often a request is tried again, from 0 to 3' }),
    ),
    breaker: Type.Optional(
      Type.Object(
        {
          failures: Type.Optional(Times('how many failures in a row open it')),
          openFor: Type.Optional(Duration('how long it stays open')),
        },
        { ...only, expected: 'a map of failures and openFor' },
      ),
    ),
    health: Type.Optional(
      Type.Object(
        {
          path: Type.Optional(UrlPath('what is asked for')),
          interval: Type.Optional(Duration('the time from one check to the next')),
          timeout: Type.Optional(Duration('the time a check may take')),
          unhealthyAfter: Type.Optional(Times('how many failed checks in a row make it unready')),
          healthyAfter: Type.Optional(Times('how many good checks in a row make it ready again')),
        },
        { ...only, expected: 'a map of path, interval, timeout, unhealthyAfter and healthyAfter' },
      ),
    ),
  },
  { ...only, expected: 'a map with url, as { url: "http://triton:8000", protocol: v2, model: digits }' },
);
