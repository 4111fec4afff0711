import { Type } from 'typebox';
import type { Static } from 'typebox';
import { isTimerMs, millisecondsOf } from './duration.ts';
import type { Refuse } from './refuse.ts';

/** Who is told of what happens to experiments. */
export interface WebhookConfig {
  /** Names it in metrics and logs; no other has the same. */
  readonly name: string;
  /** It may have a secret in it, so it is never shown. */
  readonly url: string;
  readonly type: 'generic' | 'slack';
  /** Signs what is posted; undefined: it isn't signed. */
  readonly secret: string | undefined;
  /** Actions of the audit log, or their beginnings with `*` behind; undefined: all. */
  readonly events: readonly string[] | undefined;
  /** For each try. */
  readonly timeoutMs: number;
}

const MIN_SECRET_CHARACTERS = 16;

/** The names are those of GitHub's and Flagger's webhooks. */
export const WebhookSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
      expected: 'a name of small letters, digits and "-", 63 characters at most',
    }),
    url: Type.String({
      pattern: '^https?://[^\\s]+$',
      expected: 'an address as https://example.com/hook',
      secret: true,
    }),
    type: Type.Optional(Type.Enum(['generic', 'slack'])),
    secret: Type.Optional(
      Type.String({
        minLength: MIN_SECRET_CHARACTERS,
        expected: `a secret of ${MIN_SECRET_CHARACTERS} characters at least`,
        secret: true,
      }),
    ),
    events: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[a-z*][a-z0-9_.-]*\\*?$',
          expected: 'an action as rollback, or rollout* for all that begin so',
        }),
        { minItems: 1, expected: 'a list of actions' },
      ),
    ),
    timeout: Type.Optional(
      Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$', expected: 'a duration as 500ms or 5s' }),
    ),
  },
  { additionalProperties: false, expected: 'a map with name and url' },
);

export function readWebhooks(
  webhooks: readonly Static<typeof WebhookSchema>[],
  refuse: Refuse,
): readonly WebhookConfig[] {
  const names = webhooks.map(({ name }) => name);
  return webhooks.map(({ name, url, type = 'generic', secret, events, timeout = '10s' }, index) => {
    if (names.indexOf(name) < index) refuse(['webhooks', index, 'name'], `"${name}" is there twice`);
    const timeoutMs = millisecondsOf(timeout);
    if (!isTimerMs(timeoutMs))
      refuse(['webhooks', index, 'timeout'], `is ${timeout}; expected whole milliseconds, from 1ms on`);
    if (!URL.canParse(url))
      refuse(['webhooks', index, 'url'], 'is no address; expected one as https://example.com/hook');
    return { name, url, type, secret, events, timeoutMs };
  });
}
