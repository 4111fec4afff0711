/** What a key may do. A route says which one it needs; a key that lacks it is told so with a 403. */
export const SCOPES = ['infer', 'override', 'outcomes', 'metrics', 'admin:read', 'admin:write'] as const;

export type Scope = (typeof SCOPES)[number];

/** `open` routes need no key: health, and what a browser loads before anybody has signed in. */
export type RouteScope = Scope | 'open';
