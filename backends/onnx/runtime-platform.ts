/** What a process runs on, as far as native code cares. */
export interface Platform {
  /** As `process.platform`. */
  readonly system: string;
  /** As `process.arch`. */
  readonly arch: string;
  /** Whether its C library is not glibc: on Linux, as on Alpine. */
  readonly isMusl: boolean;
}

/** The platforms that ONNX Runtime's package has files for. */
const ARCHITECTURES: Readonly<Partial<Record<string, readonly string[]>>> = {
  linux: ['x64', 'arm64'],
  darwin: ['arm64'],
  win32: ['x64', 'arm64'],
};

/**
 * Ends a start where no model could ever run, before anything is loaded.
 *
 * @throws Error that says what the platform is, and which ones there are
 */
export function requireRuntimePlatform({ system, arch, isMusl } = thisPlatform()): void {
  const isKnown = ARCHITECTURES[system]?.includes(arch) === true;
  if (isKnown && !isMusl) return;
  throw new Error(
    `ONNX Runtime, which models run in, has no files for ${system} ${arch}${isMusl ? ' with musl' : ''}; ` +
      'expected Linux with glibc (x64, arm64), macOS (arm64) or Windows (x64, arm64)',
  );
}

function thisPlatform(): Platform {
  return { system: process.platform, arch: process.arch, isMusl: isMusl() };
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  // Addresses of the machine are looked up otherwise, which may take seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as {
    readonly header?: { readonly glibcVersionRuntime?: string };
  };
  return report.header?.glibcVersionRuntime === undefined;
}
