import { useEffect, useState } from 'preact/hooks';
import { useObservable } from '../observable.ts';
import { ask } from '../session.ts';
import type { ExperimentShape, PointShape, ResultsShape } from '../shapes.ts';
import { connection, results } from './feed.ts';

/** Live points on top of the stored ones; older of them are stored by then. */
const MAX_LIVE = 600;

/** How the experiment that is watched came to say what it says, up to this moment. */
export function useHistory(experiment: ExperimentShape): readonly PointShape[] {
  const { key, phase } = experiment;
  const isLive = useObservable(connection).kind === 'live';
  const latest = useObservable(results);
  const [stored, setStored] = useState<readonly PointShape[]>([]);
  const [live, setLive] = useState<readonly PointShape[]>([]);
  useEffect(() => {
    if (!isLive) return undefined;
    const controller = new AbortController();
    void ask<{ readonly points: readonly PointShape[] }>(`experiments/${encodeURIComponent(key)}/history`, {
      signal: controller.signal,
    })
      .then(({ points }) => {
        setStored(points);
      })
      // It is asked again with the next connection.
      .catch(() => undefined);
    return () => {
      controller.abort();
    };
  }, [key, phase, isLive]);
  useEffect(() => {
    if (latest !== undefined)
      setLive((points) => [...points, pointOf(latest.atMs, experiment, latest.results)].slice(-MAX_LIVE));
  }, [latest]);
  const after = stored.at(-1)?.atMs ?? 0;
  return [...stored, ...live.filter(({ atMs }) => atMs > after)];
}

function pointOf(atMs: number, { variants }: ExperimentShape, said: ResultsShape): PointShape {
  const shown = said.metrics.length > 0 ? said.metrics : said.builtIn;
  return {
    atMs,
    verdict: said.verdict,
    sampleRatioP: said.health.srm.p,
    variants: Object.fromEntries(
      variants.map(({ name, share }) => {
        const counted = said.variants.find((variant) => variant.name === name);
        return [name, { share, units: counted?.units ?? 0, requests: counted?.exposures ?? 0 }];
      }),
    ),
    intervals: Object.fromEntries(
      shown.map(({ name, variant, lift, anytime: { interval } }) => [
        `${name}/${variant}`,
        [lift, interval?.[0] ?? null, interval?.[1] ?? null] as const,
      ]),
    ),
  };
}

/** Requests a second of each variant over the last seconds. */
export function ratesOf(points: readonly PointShape[], windowMs = 10_000): ReadonlyMap<string, number> {
  const last = points.at(-1);
  if (last === undefined) return new Map();
  const since = Date.now() - windowMs;
  const first = [...points].reverse().find(({ atMs }) => atMs <= since) ?? points[0];
  const seconds = (Math.max(Date.now(), last.atMs) - Math.max(first?.atMs ?? 0, since)) / 1000;
  const isQuiet = first === undefined || first === last || seconds < 1 || last.atMs < since;
  return new Map(
    Object.entries(last.variants).map(([name, { requests }]) => [
      name,
      isQuiet ? 0 : Math.max(0, requests - (first.variants[name]?.requests ?? 0)) / Math.max(seconds, 1),
    ]),
  );
}
