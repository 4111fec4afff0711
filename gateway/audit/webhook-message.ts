import { createHash, createHmac } from 'node:crypto';
import type { AuditedState } from '../../experiments/standing/audit-record.ts';
import type { WebhookConfig } from '../config/webhook-config.ts';
import type { AuditEvent } from './audit-event.ts';
import { changeText, subjectOf } from './event-text.ts';

/** What is posted to a webhook. */
export interface WebhookMessage {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Whether a webhook wants to be told of an action. */
export function wants({ events }: WebhookConfig, action: string): boolean {
  if (events === undefined) return true;
  return events.some((event) =>
    event.endsWith('*') ? action.startsWith(event.slice(0, -1)) : event === action,
  );
}

/**
 * The message that tells of an entry of the audit log. Its `X-Signalbox-Delivery` is the same whenever it is made, also of a log that was lost and brought
 * back, where it has another number: so a receiver can tell one that comes twice.
 *
 * @param sequence its number in the log
 * The signature is as GitHub's `X-Hub-Signature-256`: `sha256=` and the HMAC-SHA-256 of the body under the secret, in hexadecimal.
 */
export function webhookMessage(webhook: WebhookConfig, event: AuditEvent, sequence: number): WebhookMessage {
  const delivery = createHash('sha256')
    .update(`${webhook.name}\0${event.at}\0${event.id}`)
    .digest('hex')
    .slice(0, 32);
  const body = JSON.stringify(
    webhook.type === 'slack' ? slackMessage(event) : { event: event.action, delivery, sequence, ...event },
  );
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'x-signalbox-event': event.action,
      'x-signalbox-delivery': delivery,
      ...(webhook.secret !== undefined && {
        'x-signalbox-signature-256': `sha256=${createHmac('sha256', webhook.secret).update(body).digest('hex')}`,
      }),
    },
  };
}

/** What Slack's incoming webhooks take, and Mattermost's and Discord's after them. */
function slackMessage(event: AuditEvent): { readonly text: string } {
  const { action, actor } = event;
  const who = actor.name === '' ? actor.kind : actor.name;
  const done = `${escape(action)} by ${escape(who)}`;
  if (event.kind !== 'experiment')
    return { text: `*${escape(subjectOf(event))}*: ${done}\n${escape(changeText(event))}` };
  const { experiment, reason, before, after } = event;
  const from = before === null ? '' : `${stateText(before)} → `;
  return {
    text: `*${escape(experiment)}*: ${done}, ${escape(reason)}\n${from}${stateText(after)} (version ${after.version})`,
  };
}

function stateText({ status, weights, winner }: AuditedState): string {
  if (status === 'completed') return `all get ${escape(winner)}`;
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const shares = Object.entries(weights).map(
    ([name, weight]) => `${escape(name)} ${total === 0 ? 0 : Math.round((1000 * weight) / total) / 10} %`,
  );
  return `${status}, ${shares.join(', ')}`;
}

/** Slack's three control characters. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
