import type { Format } from './format.ts';

/** What a scraper may ask for, and what it then gets. Where it likes several equally, the first of them. */
const OFFERS: readonly { readonly range: RegExp; readonly format: Format }[] = [
  { range: /^application\/openmetrics-text$/, format: 'openmetrics' },
  { range: /^text\/plain$/, format: 'text' },
  { range: /^(text|\*)\/\*$/, format: 'text' },
];

/**
 * The format that a scraper likes best, by its `Accept` header (RFC 9110, 12.5.1); of Prometheus' others, which are binary, none is
 * spoken. Who doesn't ask gets Prometheus' own text, as does who asks for what isn't there.
 */
export function negotiate(accept: string | undefined): Format {
  let best: { readonly format: Format; readonly quality: number } = { format: 'text', quality: 0 };
  const ranges = (accept ?? '').split(',').map(readRange);
  for (const { range, format } of OFFERS) {
    for (const { type, version, quality } of ranges) {
      const isSpoken = format !== 'openmetrics' || version === undefined || version === '1.0.0';
      if (range.test(type) && isSpoken && quality > best.quality) best = { format, quality };
    }
  }
  return best.format;
}

interface MediaRange {
  /** In lower case, as `text/plain`. */
  readonly type: string;
  readonly version: string | undefined;
  /** 0 (never) to 1. */
  readonly quality: number;
}

/** `application/openmetrics-text;version=1.0.0;q=0.5`. */
function readRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const valueOf = (name: string): string | undefined =>
    parameters
      .find((parameter) => parameter.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .replaceAll('"', '');
  const quality = Number(valueOf('q') ?? '1');
  return { type, version: valueOf('version'), quality: quality >= 0 && quality <= 1 ? quality : 0 };
}
