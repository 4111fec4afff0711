/** PromQL that several dashboards use. Dashboards' windows are Grafana's own, which fits the scrape interval. */
const WINDOW = '[$__rate_interval]';

/** Outcomes that the gateway answers for; a caller's own mistake, refusal or hang-up isn't its failure. */
export const FAILED = 'outcome=~"error|timeout|shed"';

/** Outcomes that count for or against the gateway. */
export const COUNTED = 'outcome=~"ok|error|timeout|shed"';

/** Per second, summed by the named labels. */
export function ratePer(labels: string, metric: string, selector: string): string {
  return `sum by (${labels}) (rate(${metric}{${selector}}${WINDOW}))`;
}

/**
 * The share of `part` in `whole`, both per second, 0 to 1. A counter's series exists only from its first event on, so where
 * nothing of `part` ever happened the share is 0 rather than missing.
 */
export function share(labels: string, metric: string, part: string, whole: string): string {
  const all = ratePer(labels, metric, whole);
  return `(${ratePer(labels, metric, part)} or 0 * ${all}) / (${all} > 0)`;
}

/** Per second, or 0 where it never happened although `known` exists. */
export function rateOrZero(labels: string, metric: string, selector: string, known: string): string {
  return `${ratePer(labels, metric, selector)} or 0 * ${known}`;
}

/** A quantile of a histogram, by the named labels. */
export function quantile(q: number, labels: string, metric: string, selector: string): string {
  return `histogram_quantile(${q}, ${ratePer(`${labels}, le`, `${metric}_bucket`, selector)})`;
}

/** The mean of what a histogram observed. */
export function mean(labels: string, metric: string, selector: string): string {
  return `${ratePer(labels, `${metric}_sum`, selector)} / (${ratePer(labels, `${metric}_count`, selector)} > 0)`;
}
