/** The packages whose code or font is in the bundle, and so in the package: their licences are told with the others. */
export const BUNDLED_PACKAGES = ['@fontsource-variable/inter', 'preact', 'uplot'] as const;
