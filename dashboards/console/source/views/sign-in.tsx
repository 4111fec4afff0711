import { useEffect, useRef, useState } from 'preact/hooks';
import { Mark } from '../parts/masthead.tsx';
import { key, signIn, signOut } from '../session.ts';

/** Where a key is needed. The gateway's own words say what was wrong with the one before. */
export function SignIn({ status, message }: { readonly status: number; readonly message: string }) {
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const wasTried = key.value !== undefined;
  const isLocalOnly = status === 403 && !wasTried;
  useEffect(() => {
    document.title = 'Sign in · Signalbox';
    input.current?.focus();
  }, [message]);
  const submit = (event: Event): void => {
    event.preventDefault();
    const typed = text.trim();
    if (typed === '') return;
    // The same key again is asked again.
    signOut();
    signIn(typed);
  };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <p class="brand">
          <Mark />
          Signalbox
        </p>
        <h1>{isLocalOnly ? 'Not from here' : 'Sign in'}</h1>
        {isLocalOnly ? (
          <p>This gateway has no keys, so its control answers on its own machine only.</p>
        ) : (
          <p>
            With an API key that has the scope <code>admin:read</code>; to change something it needs{' '}
            <code>admin:write</code> too.
          </p>
        )}
        {(wasTried || isLocalOnly) && (
          <p class="form-error" role="alert" id="refusal">
            {message}.
          </p>
        )}
        {!isLocalOnly && (
          <>
            <label for="key">API key</label>
            <input
              id="key"
              ref={input}
              type="password"
              autocomplete="off"
              spellcheck={false}
              placeholder="sb_…"
              value={text}
              aria-describedby={wasTried ? 'refusal' : 'keeping'}
              aria-invalid={wasTried}
              onInput={({ currentTarget }) => {
                setText(currentTarget.value);
              }}
            />
            <button type="submit" class="primary">
              Sign in
            </button>
            <p class="quiet" id="keeping">
              It stays in this tab, and is forgotten when the tab is closed.{' '}
              <code>signalbox keys create</code> makes one.
            </p>
          </>
        )}
      </form>
    </main>
  );
}
