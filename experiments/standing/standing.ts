import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';

const only = { additionalProperties: false } as const;

/** Who changed something. Never a secret: of a key its id and its name. */
export const ActorSchema = Type.Object(
  {
    /** `anybody`: somebody on the gateway's machine, where there are no keys; `file`: an edit of the experiment's file. */
    kind: Type.Enum(['key', 'token', 'anybody', 'rollout', 'file', 'gateway']),
    /** The key's id, a token's subject, the replica that leads the rollouts; empty where nobody is known. */
    id: Type.String(),
    name: Type.String(),
    /** The caller's network address; empty where nobody called. */
    address: Type.String(),
  },
  only,
);

export type Actor = Readonly<Static<typeof ActorSchema>>;

/** Why something was changed. */
export const CauseSchema = Type.Object(
  {
    /**
     * What was done: `create`, `edit` (the file), `recover` (the store had lost it), `promote`, `pause`, `resume`, `rollback`,
     * and what rollouts call their own steps.
     */
    action: Type.String({ pattern: '^[a-z][a-z0-9_.-]{0,62}$' }),
    reason: Type.String(),
    actor: ActorSchema,
    /** ISO 8601. */
    at: Type.String(),
  },
  only,
);

export type Cause = Readonly<Static<typeof CauseSchema>>;

const TakenRequestSchema = Type.Object(
  {
    /** The name that its sender gave it. */
    key: Type.String(),
    /** What it asked for; left out, with the digest, in what was kept before these were. */
    action: Type.Optional(Type.String()),
    /** SHA-256 of all that it asked for. */
    digest: Type.Optional(Type.String()),
    /** Of the standing that it made, or found to be what it asked for. */
    version: Type.Integer(),
  },
  only,
);

/** A request that its sender gave a name, so that it can be sent again. */
export type NamedRequest = Required<Omit<Readonly<Static<typeof TakenRequestSchema>>, 'version'>>;

/** How an experiment splits its units: what is in force, whatever the file wishes. */
export const SplitSchema = Type.Object(
  {
    /** `running`: split by the weights. `paused`: all get the control. `completed`: all get the winner. */
    status: Type.Enum(['draft', 'running', 'paused', 'completed']),
    /** Of all variants, by name; whole numbers >= 0. */
    weights: Type.Record(Type.String(), Type.Integer({ minimum: 0 })),
    /** Whom all get once it is completed. */
    winner: Type.String(),
    /** Where the rollout stands, plain JSON of its own; null where there is none. */
    rollout: Type.Unknown(),
  },
  only,
);

export type Split = Readonly<Static<typeof SplitSchema>>;

const StandingSchema = Type.Object(
  {
    experiment: Type.String(),
    /**
     * Counts the changes from 1, over all files and phases. It never goes back, even where the store has lost what it had:
     * replicas that tell the same version assign alike.
     */
    version: Type.Integer({ minimum: 1 }),
    /** Names this change: two changes of one version, made while the store had forgotten one of them, differ in it. */
    id: Type.String(),
    phase: Type.Integer(),
    /** SHA-256 of the file's text that it belongs to. */
    fileDigest: Type.String(),
    /** That text, without secrets: what an edit is compared with that was made while no process saw it. */
    definition: Type.Optional(Type.String()),
    split: SplitSchema,
    cause: CauseSchema,
    /**
     * Whether the store had lost it and a replica has brought it back since: what was counted is lost too, so rollouts hold
     * until a person says something.
     */
    isRecovered: Type.Boolean(),
    /** The last requests that were taken by name, so that one that is sent again is not taken twice. */
    requests: Type.Array(TakenRequestSchema),
  },
  only,
);

/** Where an experiment stands, as the state store keeps it. */
export type Standing = Readonly<Static<typeof StandingSchema>>;

/** The document of an experiment's standing. */
export function standingKey(experiment: string): string {
  return `standing:${experiment}`;
}

/** @returns undefined where the store has something else under that name */
export function readStanding(value: unknown): Standing | undefined {
  return Value.Check(StandingSchema, value) ? value : undefined;
}

/** Requests by name that a standing remembers. */
const REMEMBERED_REQUESTS = 32;

/** What a change makes of a standing. */
export interface NextStanding {
  readonly split: Split;
  readonly cause: Cause;
  /** A random name. */
  readonly id: string;
  /** The request that asked for it, where it has a name. */
  readonly request?: NamedRequest | undefined;
}

/** The standing after a change. */
export function nextStanding(before: Standing, { split, cause, id, request }: NextStanding): Standing {
  const next = { ...before, version: before.version + 1, id, split, cause, isRecovered: false };
  return request === undefined ? next : withRequest(next, request);
}

/** The same standing, which remembers that a request was taken. */
export function withRequest(standing: Standing, request: NamedRequest): Standing {
  const taken = { ...request, version: standing.version };
  return { ...standing, requests: [...standing.requests, taken].slice(-REMEMBERED_REQUESTS) };
}

/** Whether two splits are the same in every field. */
export function isSameSplit(a: Split, b: Split): boolean {
  return Value.Equal(a, b);
}
