import { defineConfig } from 'vitest/config';

/** `npm run test:guides`: the guides' long commands, which `npm test` leaves out. */
export default defineConfig({ test: { include: ['test/**/*.guide.ts'], pool: 'forks' } });
