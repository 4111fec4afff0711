import { fileURLToPath } from 'node:url';
import type { InlineConfig } from 'vite';

const folder = fileURLToPath(new URL('.', import.meta.url));

/**
 * One script, one style and one font, under names that stay: the bundle is committed, and a test builds it again and compares.
 *
 * @param outDir where it is written
 */
export function consoleBuild(outDir: string): InlineConfig {
  return {
    root: folder,
    configFile: false,
    // Wherever a proxy puts it.
    base: './',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2023',
      cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
      modulePreload: false,
      assetsInlineLimit: 0,
      rolldownOptions: {
        output: {
          entryFileNames: 'console.js',
          assetFileNames: (asset) =>
            asset.names[0]?.endsWith('.woff2') ? 'inter.woff2' : 'console[extname]',
        },
      },
    },
  };
}
