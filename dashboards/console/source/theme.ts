import { Observable } from './observable.ts';

export type Theme = 'system' | 'light' | 'dark';

const STORED = 'signalbox.theme';

export const theme = new Observable<Theme>(storedTheme());

/** Counts the changes of what is seen, so that charts are drawn again. */
export const seenTheme = new Observable(0);

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  seenTheme.set(seenTheme.value + 1);
});

export function applyTheme(): void {
  const { value } = theme;
  if (value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
  seenTheme.set(seenTheme.value + 1);
}

export function chooseTheme(value: Theme): void {
  theme.set(value);
  localStorage.setItem(STORED, value);
  applyTheme();
}

function storedTheme(): Theme {
  const stored = localStorage.getItem(STORED);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}
