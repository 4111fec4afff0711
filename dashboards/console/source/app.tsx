import { useEffect, useErrorBoundary, useRef } from 'preact/hooks';
import { connection, experiments, hello, reconnect, watch } from './live/feed.ts';
import { useObservable } from './observable.ts';
import { Announcer } from './parts/announcer.tsx';
import { Masthead } from './parts/masthead.tsx';
import { Loading } from './parts/state.tsx';
import { place } from './router.ts';
import type { Place } from './router.ts';
import { Audit } from './views/audit.tsx';
import { Experiment } from './views/experiment.tsx';
import { Models } from './views/models.tsx';
import { Overview } from './views/overview.tsx';
import { SignIn } from './views/sign-in.tsx';
import { moment } from './words/numbers.ts';

export function App() {
  const now = useObservable(connection);
  const where = useObservable(place);
  const key = where.view === 'experiment' ? where.key : undefined;
  useEffect(() => {
    watch(key);
  }, [key]);
  if (now.kind === 'denied') return <SignIn {...now} />;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Masthead />
      {now.kind === 'lost' && <Lost sinceMs={now.sinceMs} why={now.why} />}
      <Page where={where} isStale={now.kind === 'lost'} />
      <Announcer />
    </>
  );
}

function Page({ where, isStale }: { readonly where: Place; readonly isStale: boolean }) {
  const main = useRef<HTMLElement>(null);
  const id = where.view === 'experiment' ? `experiment ${where.key}` : where.view;
  const first = useRef(id);
  useEffect(() => {
    document.title = `${titleOf(where)} · Signalbox`;
    // Who works with the keyboard, or listens, is where the new page begins.
    if (first.current !== id) main.current?.focus();
    first.current = id;
    scrollTo(0, 0);
  }, [id]);
  return (
    <main id="main" tabIndex={-1} ref={main} class={isStale ? 'stale' : ''}>
      <Guarded key={id} where={where} />
    </main>
  );
}

/** A view, or, where it can't be drawn, what went wrong: the other pages go on. */
function Guarded({ where }: { readonly where: Place }) {
  const boundary: readonly [error: unknown, again: () => void] = useErrorBoundary(reportError);
  const [error, again] = boundary;
  if (error === undefined) return <View where={where} />;
  return (
    <div role="alert">
      <h1>This page can’t be shown</h1>
      <p>
        The console itself failed, not the gateway:{' '}
        {error instanceof Error ? error.message : 'what was thrown is no error'}
      </p>
      <button type="button" onClick={again}>
        Try again
      </button>
    </div>
  );
}

function View({ where }: { readonly where: Place }) {
  const known = useObservable(experiments);
  switch (where.view) {
    case 'experiments':
      return known === undefined ? <Loading what="the experiments" /> : <Overview experiments={known} />;
    case 'experiment':
      return known === undefined ? (
        <Loading what={where.key} lines={6} />
      ) : (
        <Experiment
          key={where.key}
          name={where.key}
          experiment={known.find(({ key }) => key === where.key)}
        />
      );
    case 'models':
      return <Models />;
    case 'audit':
      return <Audit />;
    case 'nowhere':
      return (
        <>
          <h1>There is no such page</h1>
          <p>
            <a href="#/experiments">All experiments</a>
          </p>
        </>
      );
  }
}

function Lost({ sinceMs, why }: { readonly sinceMs: number; readonly why: string }) {
  const isNew = useObservable(hello) === undefined;
  return (
    <div class="lost" role="alert">
      <p>
        <b>Reconnecting.</b> {why[0]?.toUpperCase()}
        {why.slice(1)}; it is tried again by itself.{' '}
        {isNew ? '' : `What you see is from ${moment(sinceMs)}, and nothing can be changed until then.`}
      </p>
      <button type="button" onClick={reconnect}>
        Try now
      </button>
    </div>
  );
}

function titleOf(where: Place): string {
  return where.view === 'experiment'
    ? where.key
    : { experiments: 'Experiments', models: 'Models', audit: 'Audit log', nowhere: 'Not found' }[where.view];
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
