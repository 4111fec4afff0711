import type { Logger } from 'pino';
import type { AuditLog, Documents, Leases, SharedClock } from '../../experiments/stores/state-store.ts';
import type { WebhookConfig } from '../config/webhook-config.ts';
import { LeaderElection } from '../state/leader-election.ts';
import { WebhookQueue } from './webhook-queue.ts';
import type { DeliveryResult } from './webhook-queue.ts';

export interface WebhooksOptions {
  readonly webhooks: readonly WebhookConfig[];
  readonly store: AuditLog & Documents & Leases & SharedClock;
  /** Names this process; no other has the same. */
  readonly holder: string;
  readonly onResult: (webhook: string, result: DeliveryResult) => void;
  readonly log: Logger;
}

/** Tells webhooks of every change of an experiment, off the requests' path; of many replicas one does it. */
export class Webhooks {
  readonly #election: LeaderElection;
  readonly #queues: readonly WebhookQueue[];

  constructor({ webhooks, store, holder, onResult, log }: WebhooksOptions) {
    this.#election = new LeaderElection({
      leases: store,
      name: 'webhooks',
      holder,
      onChange: (isLeader) => {
        if (isLeader) this.wake();
      },
    });
    this.#queues = webhooks.map(
      (webhook) =>
        new WebhookQueue({
          webhook,
          store,
          fence: () => this.#election.fence,
          onResult: (result) => {
            onResult(webhook.name, result);
          },
          log,
        }),
    );
  }

  start(): void {
    if (this.#queues.length > 0) this.#election.start();
  }

  wake(): void {
    for (const queue of this.#queues) queue.wake();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.stop()));
    await this.#election.stop();
  }
}
