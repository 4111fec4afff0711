import { Observable, useObservable } from '../observable.ts';

interface Said {
  readonly text: string;
  readonly tone: 'good' | 'bad';
}

const said = new Observable<Said | undefined>(undefined);
let timer: number | undefined;

/** Says something to everybody: shown for a while, and read out. */
export function announce(text: string, tone: Said['tone'] = 'good'): void {
  said.set({ text, tone });
  clearTimeout(timer);
  timer = setTimeout(() => {
    said.set(undefined);
  }, 8000);
}

export function Announcer() {
  const now = useObservable(said);
  return (
    <div class="announcer" role="status" aria-live="polite">
      {now !== undefined && <p class={`toast tone-${now.tone}`}>{now.text}</p>}
    </div>
  );
}
