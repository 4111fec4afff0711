import type { Logger } from 'pino';
import type { Config } from './config/config.ts';
import { Limits } from './limits/limits.ts';
import type { SharedBuckets } from './limits/shared-buckets.ts';
import { BodyBudget } from './overload/body-budget.ts';
import { LoadShedder } from './overload/load-shedder.ts';
import { LoopDelay } from './overload/loop-delay.ts';
import type { Shed } from './overload/overloaded.ts';
import type { QueuesAhead } from './overload/queues-ahead.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { Admission } from './trust/admission.ts';
import type { TokenVerifier } from './trust/jwt.ts';
import { KeyDesk } from './trust/key-desk.ts';
import type { KeyStore } from './trust/key-store.ts';
import { KeyWatch } from './trust/key-watch.ts';

export interface DoorOptions {
  readonly config: Config;
  /** Undefined: whoever reaches the gateway may call it. */
  readonly keys: KeyStore | undefined;
  /** Undefined: tokens are not taken. */
  readonly tokens: TokenVerifier | undefined;
  /** Undefined: each process has its own limits. */
  readonly shared: SharedBuckets | undefined;
  readonly queues: QueuesAhead;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** All that a call has to pass before it is routed: who it is, how often it comes, and whether there is room. */
export class Door {
  readonly limits: Limits;
  readonly shedder: LoadShedder;
  readonly bodies: BodyBudget;
  readonly admission: Admission;
  /** Where keys are made and revoked; undefined: there are none. */
  readonly keyDesk: KeyDesk | undefined;
  readonly #keys: KeyWatch | undefined;
  readonly #loopDelay = new LoopDelay();

  constructor({ config, keys, tokens, shared, queues, metrics, log }: DoorOptions) {
    const { limits } = config;
    this.limits = new Limits(limits, {
      shared,
      onRefused: (kind) => {
        metrics.recordLimit(kind);
      },
      onFallback: () => {
        metrics.recordLimitFallback();
      },
    });
    const onShed = (reason: Shed, model?: string): void => {
      metrics.recordShed(reason, model);
    };
    this.shedder = new LoadShedder(limits.shedding, onShed, this.#loopDelay);
    this.bodies = new BodyBudget(limits.shedding.bodyBytes, onShed);
    this.admission = new Admission({
      keys: keys?.ring,
      tokens,
      limits: this.limits,
      shedder: this.shedder,
      queues,
      onRefused: (outcome, protocol) => {
        metrics.recordRefusal(outcome, protocol);
      },
    });
    if (keys === undefined) return;
    metrics.watch({ keys: () => keys.ring.keys });
    this.keyDesk = new KeyDesk(keys);
    this.#keys = new KeyWatch(keys, log, (result) => {
      metrics.recordReload(result);
    });
  }

  start(): void {
    this.#loopDelay.start();
    this.#keys?.start();
  }

  /** Puts other limits in force. */
  apply({ limits }: Config): void {
    this.limits.replace(limits);
    this.shedder.replace(limits.shedding);
    this.bodies.replace(limits.shedding.bodyBytes);
  }

  async stop(): Promise<void> {
    this.#loopDelay.stop();
    await this.#keys?.stop();
    this.limits.close();
  }
}
