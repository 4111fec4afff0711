import packageJson from '../package.json' with { type: 'json' };

/** The gateway's own version, by semantic versioning. */
export const RELEASE: string = packageJson.version;
