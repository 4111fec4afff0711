import { access } from 'node:fs/promises';
import { findServer } from '../../../servers/debian-server.ts';
import type { FoundServer } from '../../../servers/debian-server.ts';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/**
 * Gives this process a GPU in software: SwiftShader, which Debian's Chromium brings, through the Vulkan loader. It is slow, and
 * runs the same code of the runtime as a real one. To be called before the runtime is loaded.
 */
export async function bringSoftwareGpu(): Promise<FoundServer> {
  const chromium = await findServer('chromium', 'chromium');
  const loader = await findServer('vulkaninfo', 'vulkan-tools');
  for (const found of [chromium, loader]) if (found.kind === 'missing') return found;
  await access(DRIVER);
  process.env.VK_DRIVER_FILES = DRIVER;
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  return chromium;
}
