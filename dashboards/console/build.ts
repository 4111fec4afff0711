/** Builds what the control plane serves at `/console`. */
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { consoleBuild } from './build-options.ts';

process.env.NODE_ENV = 'production';
await build(consoleBuild(fileURLToPath(new URL('bundle', import.meta.url))));
