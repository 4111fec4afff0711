import { connection, hello } from '../live/feed.ts';
import { useObservable } from '../observable.ts';
import { hrefOf, place } from '../router.ts';
import type { Place } from '../router.ts';
import { signOut } from '../session.ts';
import { chooseTheme, theme } from '../theme.ts';

const PAGES: readonly { readonly to: Place; readonly label: string }[] = [
  { to: { view: 'experiments' }, label: 'Experiments' },
  { to: { view: 'models' }, label: 'Models' },
  { to: { view: 'audit' }, label: 'Audit log' },
];

export function Masthead() {
  const { view } = useObservable(place);
  const known = useObservable(hello);
  const at = view === 'experiment' ? 'experiments' : view;
  return (
    <header class="masthead">
      <a class="brand" href="#/experiments">
        <Mark />
        Signalbox
      </a>
      <nav aria-label="Pages">
        {PAGES.map(({ to, label }) => (
          <a key={label} href={hrefOf(to)} aria-current={to.view === at ? 'page' : undefined}>
            {label}
          </a>
        ))}
      </nav>
      <div class="masthead-end">
        <Live />
        <Theme />
        {known !== undefined && !known.caller.isOpen && (
          <button type="button" class="plain" onClick={signOut} title={`Signed in as ${known.caller.id}`}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

function Live() {
  const { kind } = useObservable(connection);
  const words = { connecting: 'Connecting', live: 'Live', lost: 'Offline', denied: '' }[kind];
  return (
    <span class={`live live-${kind}`}>
      <i aria-hidden="true" />
      {words}
    </span>
  );
}

const NEXT = { system: 'light', light: 'dark', dark: 'system' } as const;
const THEME_WORDS = { system: 'as the system', light: 'light', dark: 'dark' } as const;

function Theme() {
  const chosen = useObservable(theme);
  return (
    <button
      type="button"
      class="plain icon"
      title={`Colours: ${THEME_WORDS[chosen]}`}
      aria-label={`Colours: ${THEME_WORDS[chosen]}; change to ${THEME_WORDS[NEXT[chosen]]}`}
      onClick={() => {
        chooseTheme(NEXT[chosen]);
      }}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5" />
        {chosen !== 'light' && (
          <path
            d={
              chosen === 'dark'
                ? 'M10 3.5a6.5 6.5 0 0 0 0 13 6.5 6.5 0 0 0 0-13'
                : 'M10 3.5a6.5 6.5 0 0 1 0 13z'
            }
            fill="currentColor"
          />
        )}
      </svg>
    </button>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path
        d="M2 18h20M2 18c9 0 9-10 20-10"
        fill="none"
        stroke="currentColor"
        stroke-width="2.4"
        stroke-linecap="round"
      />
      <circle cx="6" cy="6" r="3" class="mark-light" />
    </svg>
  );
}
