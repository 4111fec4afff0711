import { Type } from 'typebox';
import type { Static } from 'typebox';
import { RATE_EXPECTED, RATE_PATTERN } from '../limits/rate.ts';
import { MIN_SECRET_CHARACTERS } from '../../experiments/prediction-id.ts';
import { WebhookSchema } from './webhook-config.ts';
import { HoldoutSchema } from '../../experiments/experiment-schema.ts';

const Duration = (expected = 'a duration as 500ms, 30s, 5m or 1h') =>
  Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$', expected });

const Address = () =>
  Type.String({
    pattern: '^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9._-]+):[0-9]{1,5}$',
    expected: 'an address as 127.0.0.1:8000 or [::1]:8000; port 0 takes a free one',
  });

const Folder = () => Type.String({ minLength: 1, expected: "a folder's path, relative to this file" });

const RateText = () => Type.String({ pattern: RATE_PATTERN, expected: RATE_EXPECTED });

const Count = (what: string) =>
  Type.Integer({ minimum: 1, maximum: 1e15, expected: `a whole number above 0: ${what}` });

/** It may have a password in it. */
const SecretUrl = (expected: string) =>
  Type.String({ pattern: '^https?://[^\\s]+$', expected, secret: true });
const PemFile = (what: string) => Type.String({ minLength: 1, expected: `the path of a PEM file, ${what}` });

const TlsFiles = () =>
  Type.Object(
    {
      cert: PemFile("the plane's certificate"),
      key: PemFile("the certificate's key"),
      ca: Type.Optional(PemFile("the issuers of callers' certificates")),
    },
    {
      additionalProperties: false,
      expected: 'a map of cert, key and, where callers must show a certificate, ca',
    },
  );
const HeaderValue = () => Type.String({ expected: 'the text of a header', secret: true });
const Secret = () =>
  Type.String({
    minLength: MIN_SECRET_CHARACTERS,
    expected: 'a secret of 16 characters at least',
    secret: true,
  });

/** `signalbox.yaml`. A key that is not here is refused: nothing that a file says is passed over in silence. */
export const ConfigSchema = Type.Object(
  {
    listen: Type.Object(
      {
        http: Address(),
        grpc: Type.Optional(Address()),
        metrics: Type.Optional(Address()),
        admin: Type.Optional(Address()),
      },
      { additionalProperties: false, expected: 'a map of planes to addresses' },
    ),
    server: Type.Optional(
      Type.Object(
        {
          name: Type.Optional(
            Type.String({ pattern: '^[ -~]{1,63}$', expected: 'a name of 1 to 63 printable characters' }),
          ),
          bodyLimit: Type.Optional(
            Type.String({ pattern: '^[0-9]+(B|KiB|MiB|GiB)$', expected: 'a size as 512KiB or 64MiB' }),
          ),
          trustProxy: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 16,
              expected: 'the number of proxies that calls pass before they come here, 0 to 16',
            }),
          ),
        },
        { additionalProperties: false, expected: 'a map of name, bodyLimit and trustProxy' },
      ),
    ),
    models: Type.Object(
      {
        repository: Type.Union([Folder(), Type.Array(Folder(), { minItems: 1 })], {
          expected: "a folder's path, or a list of them",
        }),
        control: Type.Optional(Type.Enum(['none', 'poll', 'explicit'])),
        load: Type.Optional(
          Type.Array(Type.String({ minLength: 1, expected: 'the name of a model, or "*" for all' }), {
            expected: 'a list of models',
          }),
        ),
        defaultModel: Type.Optional(Type.String({ minLength: 1, expected: 'the name of a model' })),
        allowedUrls: Type.Optional(
          Type.Array(
            Type.String({ minLength: 1, expected: 'an address as https://models.example.com/torch/' }),
            { expected: 'a list of addresses' },
          ),
        ),
      },
      { additionalProperties: false, expected: 'a map with repository' },
    ),
    experiments: Type.Optional(Folder()),
    auth: Type.Optional(
      Type.Object(
        {
          keys: Type.Optional(
            Type.String({ minLength: 1, expected: "the keys file's path, relative to this file, or state" }),
          ),
          jwt: Type.Optional(
            Type.Object(
              {
                issuer: SecretUrl("the issuer's URL, as its tokens have it in iss"),
                audience: Type.String({ minLength: 1, expected: 'what tokens have in aud' }),
                jwks: Type.Optional(SecretUrl("the URL of the issuer's keys")),
                scopesClaim: Type.Optional(Type.String({ minLength: 1, expected: "a claim's name" })),
                rate: Type.Optional(RateText()),
              },
              { additionalProperties: false, expected: 'a map with issuer and audience' },
            ),
          ),
        },
        { additionalProperties: false, minProperties: 1, expected: 'a map with keys, jwt, or both' },
      ),
    ),
    cache: Type.Optional(
      Type.Object(
        {
          memory: Type.Optional(
            Type.String({ pattern: '^[0-9]+(B|KiB|MiB|GiB)$', expected: 'a size as 256MiB' }),
          ),
          redis: Type.Optional(Type.String({ minLength: 1, expected: 'redis://host:6379/0' })),
          ttl: Type.Optional(Duration()),
        },
        { additionalProperties: false, expected: 'a map of memory or redis, and ttl' },
      ),
    ),
    holdout: Type.Optional(HoldoutSchema),
    state: Type.Optional(
      Type.String({ minLength: 1, expected: 'memory, sqlite:FILE or redis://host:6379/0' }),
    ),
    secret: Type.Optional(
      Type.Union([Secret(), Type.Array(Secret(), { minItems: 1, maxItems: 2 })], {
        expected: 'a secret of 16 characters at least, or a list of the new and the old one',
        secret: true,
      }),
    ),
    spool: Type.Optional(Folder()),
    timeouts: Type.Optional(
      Type.Object(
        {
          request: Type.Optional(Duration()),
          headers: Type.Optional(Duration()),
          body: Type.Optional(Duration()),
          keepAlive: Type.Optional(Duration()),
          inference: Type.Optional(Duration()),
          run: Type.Optional(Duration()),
          warmup: Type.Optional(Duration()),
          grace: Type.Optional(Duration()),
          drain: Type.Optional(Duration()),
        },
        { additionalProperties: false, expected: 'a map of durations' },
      ),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          imagePixels: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 1_000_000_000, expected: 'a whole number of pixels' }),
          ),
          store: Type.Optional(Type.Enum(['memory', 'redis'])),
          cost: Type.Optional(Type.Enum(['rows', 'requests'])),
          connections: Type.Optional(Count('connections that a plane has open at once')),
          shedding: Type.Optional(
            Type.Object(
              {
                wait: Type.Optional(Duration()),
                eventLoopDelay: Type.Optional(Duration()),
                heapPercent: Type.Optional(
                  Type.Integer({ minimum: 1, maximum: 100, expected: 'a percentage of the heap, 1 to 100' }),
                ),
                bodies: Type.Optional(
                  Type.String({ pattern: '^[0-9]+(B|KiB|MiB|GiB)$', expected: 'a size as 1GiB' }),
                ),
              },
              {
                additionalProperties: false,
                expected: 'a map of wait, eventLoopDelay, heapPercent and bodies',
              },
            ),
          ),
          addressRate: Type.Optional(RateText()),
          addressConcurrency: Type.Optional(Count('requests that an address may have under way at once')),
          addressDaily: Type.Optional(Count('rows that an address may send a day')),
          keyRate: Type.Optional(RateText()),
          keyConcurrency: Type.Optional(Count('requests that a key may have under way at once')),
          keyDaily: Type.Optional(Count('rows that a key may send a day')),
          models: Type.Optional(
            Type.Record(Type.String(), RateText(), { expected: 'a map of models to rates' }),
          ),
          experiments: Type.Optional(
            Type.Record(Type.String(), RateText(), { expected: 'a map of experiments to rates' }),
          ),
        },
        { additionalProperties: false, expected: 'a map of limits' },
      ),
    ),
    webhooks: Type.Optional(Type.Array(WebhookSchema, { maxItems: 50, expected: 'a list of webhooks' })),
    tls: Type.Optional(
      Type.Object(
        {
          http: Type.Optional(TlsFiles()),
          grpc: Type.Optional(TlsFiles()),
          admin: Type.Optional(TlsFiles()),
        },
        { additionalProperties: false, expected: 'a map of planes' },
      ),
    ),
    telemetry: Type.Optional(
      Type.Object(
        {
          otlp: Type.Optional(
            Type.Object(
              {
                endpoint: SecretUrl("an OTLP receiver's URL over HTTP, as http://127.0.0.1:4318"),
                headers: Type.Optional(
                  Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), HeaderValue(), {
                    expected: 'a map of header names to values',
                  }),
                ),
                serviceName: Type.Optional(
                  Type.String({ minLength: 1, maxLength: 200, expected: 'what traces call this service' }),
                ),
              },
              { additionalProperties: false, expected: 'a map of endpoint, headers and serviceName' },
            ),
          ),
          tritonMetrics: Type.Optional(Type.Boolean({ expected: 'true or false' })),
          sampleRatio: Type.Optional(
            Type.Number({ minimum: 0, maximum: 1, expected: 'a share of the requests, from 0 to 1' }),
          ),
          logs: Type.Optional(
            Type.Object(
              {
                level: Type.Optional(Type.Enum(['debug', 'info', 'warn', 'error', 'silent'])),
                access: Type.Optional(
                  Type.Number({ minimum: 0, maximum: 1, expected: 'a share of the requests, from 0 to 1' }),
                ),
              },
              { additionalProperties: false, expected: 'a map of level and access' },
            ),
          ),
          audit: Type.Optional(
            Type.Object(
              { file: Type.String({ minLength: 1, expected: "a file's path, relative to this file" }) },
              { additionalProperties: false, expected: 'a map with file' },
            ),
          ),
          events: Type.Optional(
            Type.Object(
              {
                sink: Type.Optional(Type.Enum(['file', 'redis', 'otlp'])),
                file: Type.Optional(
                  Type.String({ minLength: 1, expected: "a file's path, relative to this file" }),
                ),
                maxSize: Type.Optional(
                  Type.String({ pattern: '^[0-9]+(B|KiB|MiB|GiB)$', expected: 'a size as 64MiB' }),
                ),
                maxFiles: Type.Optional(
                  Type.Integer({ minimum: 1, maximum: 1000, expected: 'a whole number from 1 to 1000' }),
                ),
                endpoint: Type.Optional(
                  SecretUrl("the receiver's URL for logs, as http://collector:4318/v1/logs"),
                ),
                headers: Type.Optional(
                  Type.Record(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }), HeaderValue(), {
                    expected: 'a map of request headers, as { authorization: "Bearer ${TOKEN}" }',
                  }),
                ),
                timeout: Type.Optional(Duration('how long a call may take, as 10s')),
                maxLength: Type.Optional(
                  Type.Integer({ minimum: 1, expected: "the stream's length, a whole number above 0" }),
                ),
              },
              {
                additionalProperties: false,
                expected: 'a map of sink, and of what goes with it',
              },
            ),
          ),
        },
        {
          additionalProperties: false,
          expected: 'a map of logs, events, audit, otlp, sampleRatio and tritonMetrics',
        },
      ),
    ),
  },
  { additionalProperties: false, expected: 'a map with at least listen and models' },
);

/** What a file says that fits the schema. */
export type ConfigText = Static<typeof ConfigSchema>;
