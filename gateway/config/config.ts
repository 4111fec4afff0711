import type { Holdout } from '../../experiments/definition.ts';
import type { StateAddress } from '../../experiments/stores/open-store.ts';
import type { TokenIssuer } from '../trust/jwt.ts';
import type { AllowedUrls } from './allowed-urls.ts';
import type { CacheConfig } from './cache-config.ts';
import type { EventsConfig } from './events-config.ts';
import type { GatewayLimits } from './limits-config.ts';
import type { TimeoutsConfig } from './timeouts-config.ts';
import type { TracingConfig } from './tracing-config.ts';
import type { WebhookConfig } from './webhook-config.ts';

export interface Address {
  /** A name or an IP address; IPv6 without its brackets. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** Where keys are kept. */
export type KeysPlace = { readonly kind: 'file'; readonly file: string } | { readonly kind: 'state' };

/** A gateway's configuration, every default filled in. */
export interface Config {
  /** The file it was read from, as the user named it. */
  readonly file: string;
  readonly listen: {
    readonly http: Address;
    /** Undefined: the plane is off. */
    readonly grpc: Address | undefined;
    /** Undefined: the plane is off. */
    readonly metrics: Address | undefined;
    /** The control plane. Undefined: it is off. */
    readonly admin: Address | undefined;
  };
  readonly server: {
    readonly name: string;
    readonly bodyLimitBytes: number;
    /** Proxies of one's own that a call passes before it comes here; 0: the address at the other end is the caller's. */
    readonly trustedProxies: number;
  };
  readonly models: {
    /** Absolute paths. */
    readonly roots: readonly string[];
    /**
     * `poll`: changes in the folders are taken up; `none`: what was there at the start is served; `explicit`: what `load`
     * names, and what is loaded and unloaded by request.
     */
    readonly control: 'none' | 'poll' | 'explicit';
    /** With `explicit` control, the models that are loaded at the start; `*` stands for all. */
    readonly load: readonly string[];
    readonly defaultModel: string | undefined;
    /** Where files may be fetched from that are registered; empty: from nowhere. */
    readonly allowedUrls: AllowedUrls;
    /** Whether the environment names a driver to the Vulkan loader, which speaks for trying WebGPU. */
    readonly vulkanDriver: boolean;
  };
  /** Absolute path of the folder; undefined: no experiments. */
  readonly experiments: string | undefined;
  readonly auth: {
    /** Where the keys are: in a file (an absolute path), or in the state store, which all replicas share; undefined: there are none. */
    readonly keys: KeysPlace | undefined;
    /** Undefined: no tokens are taken. */
    readonly tokens: TokenIssuer | undefined;
  };
  /** Where answers are kept of models that ask for it. */
  readonly cache: CacheConfig;
  /** Units that every experiment leaves alone; undefined: none. */
  readonly holdout: Holdout | undefined;
  /** Where results and what is decided are kept. */
  readonly state: StateAddress;
  /** They sign prediction ids, the first for new ones; undefined: the state store has one. */
  readonly secrets: readonly [string, ...string[]] | undefined;
  /** Absolute path of the folder where outcomes wait while Redis is away. */
  readonly spool: string;
  /** Absolute path of the file that has the audit log as JSON Lines; undefined: only the state store has it. */
  readonly auditFile: string | undefined;
  /** Who is told of what happens to experiments. */
  readonly webhooks: readonly WebhookConfig[];
  /** Where exposures are written; undefined: nowhere but the state store. */
  readonly events: EventsConfig | undefined;
  readonly timeouts: TimeoutsConfig;
  readonly limits: GatewayLimits;
  /** Undefined: the plane is not encrypted. */
  readonly tls: Readonly<Record<'http' | 'grpc' | 'admin', TlsFiles | undefined>>;
  /** Undefined: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  /** Whether what versions do is told under Triton's names of metrics too. */
  readonly tritonMetrics: boolean;
  /** Of the requests, those that have a line in the log, 0 to 1. */
  readonly accessLogShare: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}
