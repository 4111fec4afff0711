import { createHash } from 'node:crypto';
import type { ModelRepository } from '../../backends/repository/repository.ts';
import { carryOut } from '../../experiments/standing/command.ts';
import type { Command, Outcome, RolloutCommands } from '../../experiments/standing/command.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { Actor, NamedRequest, Standing } from '../../experiments/standing/standing.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import { GatewayError } from '../errors.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { Principal } from '../trust/principal.ts';
import type { StandingBook } from './standing-book.ts';
import { ownValue } from '../../experiments/named-values.ts';

export interface ControlOptions {
  /** The servers of variants that live elsewhere. */
  readonly upstreams: Pick<Upstreams, 'of'>;
  readonly experiments: StandingBook;
  readonly repository: ModelRepository;
  /** What rollouts make of a command. */
  readonly rollout: RolloutCommands;
  /** Another replica that can't answer for a variant; undefined: all can. */
  readonly objector: (experiment: string, variant: Variant) => Promise<string | undefined>;
  /** Brings what was changed into the audit file, before it is acknowledged. */
  readonly keepAudit: () => Promise<void>;
  /** Milliseconds since 1970, the same on all replicas. */
  readonly nowMs: () => number;
}

/** A command of a person's, and who gave it. */
export interface CommandRequest {
  readonly command: Command;
  readonly reason: string;
  readonly actor: Actor;
  /** The name of the request, so that it can be sent again; undefined: it has none. */
  readonly requestKey: string | undefined;
  readonly isDryRun: boolean;
  /** The version of where it stood when it was decided, which it has to have still; undefined: whatever it has. */
  readonly decidedAt: number | undefined;
}

export interface CommandResult {
  readonly isChanged: boolean;
  readonly standing: Standing;
}

/** Carries out what people ask of experiments. */
export class Control {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /**
   * @returns when it is in the store, and in force on this replica
   * @throws GatewayError `experiment_not_found`, `variant_not_found`, `variant_not_ready`, `command_refused`, `files_differ`,
   * `idempotency_key_reused`, `control_unavailable`
   */
  async carryOut(key: string, request: CommandRequest): Promise<CommandResult> {
    const { experiments, nowMs, keepAudit } = this.#options;
    const { command, reason, actor, requestKey, isDryRun } = request;
    const cause = { action: command.action, reason, actor, at: new Date(nowMs()).toISOString() };
    try {
      const objectors =
        command.action === 'rollback' ? new Map<string, string>() : await this.#objectors(key);
      const decide = (situation: Situation): Outcome =>
        whyStale(situation, request) ?? this.#decide(request, situation, objectors);
      const named = requestKey === undefined ? undefined : namedRequest(requestKey, request);
      const changed = await experiments.change(key, decide, { cause, request: named, isDryRun });
      switch (changed.kind) {
        case 'changed':
          if (!isDryRun) await keepAudit();
          return { isChanged: true, standing: changed.after };
        case 'same':
          return { isChanged: false, standing: changed.standing };
        case 'refused':
          throw new GatewayError(
            changed.fault === 'unknown_variant' ? 'variant_not_found' : 'command_refused',
            changed.message,
          );
        case 'key_reused':
          throw new GatewayError(
            'idempotency_key_reused',
            `the Idempotency-Key '${requestKey ?? ''}' was taken for another request, ${changed.action}, so this ${command.action} ` +
              'was not carried out; send it under a key of its own',
          );
        case 'other_file':
          throw new GatewayError(
            'files_differ',
            `another replica has taken up another file of ${key} than this one has; give all replicas the same, and ask again`,
          );
        case 'unknown':
          throw new GatewayError('experiment_not_found', `there is no experiment '${key.slice(0, 64)}'`);
      }
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      throw new GatewayError(
        'control_unavailable',
        `the state store is away, so nothing can be changed: ${cause.message}; the weights in force stay. ` +
          'Ask again when it is back, with the same Idempotency-Key if it may have been taken',
        { cause },
      );
    }
  }

  /** The replicas that can't answer for variants of an experiment, by the variants' names. */
  async #objectors(key: string): Promise<ReadonlyMap<string, string>> {
    const { experiments, objector } = this.#options;
    const variants = experiments.situation(key)?.experiment.variants ?? [];
    const asked = await Promise.all(
      variants.map(async (variant) => [variant.name, await objector(key, variant)] as const),
    );
    return new Map(
      asked.flatMap(([name, replica]) => (replica === undefined ? [] : [[name, replica] as const])),
    );
  }

  /** @throws GatewayError `variant_not_ready` */
  #decide(
    { command, reason, actor: { id, name } }: CommandRequest,
    situation: Situation,
    objectors: ReadonlyMap<string, string>,
  ): Outcome {
    const { rollout, nowMs } = this.#options;
    const outcome = carryOut(command, situation, nowMs(), rollout, { by: name === '' ? id : name, reason });
    if (outcome.kind === 'change' && command.action !== 'rollback')
      this.#requireReady(situation, outcome.split.weights, objectors);
    return outcome;
  }

  /** Units are only moved to a version that can answer them, on every replica; away from one, always. */
  #requireReady(
    { experiment, standing }: Situation,
    weights: Readonly<Record<string, number>>,
    objectors: ReadonlyMap<string, string>,
  ): void {
    for (const variant of experiment.variants) {
      const { name } = variant;
      if ((ownValue(weights, name) ?? 0) <= (ownValue(standing.split.weights, name) ?? 0)) continue;
      const replica = objectors.get(name);
      if (replica !== undefined)
        throw new GatewayError(
          'variant_not_ready',
          `variant ${name} of ${experiment.key} would get more units, but replica ${replica} can't answer for it; ` +
            `see there why it is not ready (signalbox models), and ask again when it is`,
        );
      if (variant.upstream !== undefined) {
        const server = this.#options.upstreams.of(variant);
        if (server?.isReady === true) continue;
        throw new GatewayError(
          'variant_not_ready',
          `variant ${name} of ${experiment.key} would get more units, but its server is not ready: ` +
            (server?.reason ?? 'it is not called yet'),
        );
      }
      const { version } = variant;
      const model = this.#options.repository.model(experiment.model);
      if (model?.version(version) !== undefined) continue;
      const reason = model?.index().find((line) => line.version === version)?.reason ?? 'it is not there';
      throw new GatewayError(
        'variant_not_ready',
        `variant ${name} of ${experiment.key} would get more units, but version ${version} of model ` +
          `'${experiment.model}' is not ready: ${reason}`,
      );
    }
  }
}

/** Refuses what was decided before somebody else, or the rollout, changed what it was decided on. */
function whyStale(
  { experiment, standing }: Situation,
  { command, decidedAt }: CommandRequest,
): Outcome | undefined {
  if (decidedAt === undefined || decidedAt === standing.version) return undefined;
  const { version, cause } = standing;
  return {
    kind: 'refused',
    fault: 'not_possible',
    message:
      `${experiment.key} was changed meanwhile: it stands at version ${version} (${cause.action}), and ${command.action} was decided at ` +
      `version ${decidedAt}; see what would come of it now, and ask again`,
  };
}

/** What a request asks for, so that another one under the same key is told from one that is sent again. */
function namedRequest(key: string, { command, reason, isDryRun }: CommandRequest): NamedRequest {
  const { action } = command;
  const digest = createHash('sha256').update(JSON.stringify({ command, reason, isDryRun })).digest('hex');
  return { key, action, digest };
}

/** Who called, as the audit log says it. */
export function actorOf(principal: Principal | null, address: string): Actor {
  if (principal === null || principal.id === '') return { kind: 'anybody', id: '', name: '', address };
  const { id } = principal;
  const name = 'name' in principal && typeof principal.name === 'string' ? principal.name : id;
  return { kind: id.startsWith('jwt:') ? 'token' : 'key', id, name, address };
}
