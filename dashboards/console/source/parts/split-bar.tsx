import { percent } from '../words/numbers.ts';
import { variantColor } from '../words/variants.ts';

interface SplitBarProps {
  /** Planned shares in force, 0 to 1. */
  readonly variants: readonly { readonly name: string; readonly share: number }[];
  readonly control: string;
}

/** The planned split as one bar; its figures stand beside it wherever it is used. */
export function SplitBar({ variants, control }: SplitBarProps) {
  const names = variants.map(({ name }) => name);
  return (
    <span
      class="split-bar"
      role="img"
      aria-label={variants.map(({ name, share }) => `${name} ${percent(share)}`).join(', ')}
    >
      {variants
        .filter(({ share }) => share > 0)
        .map(({ name, share }) => (
          <i key={name} class={variantColor(name, names, control)} style={{ flexGrow: share }} />
        ))}
    </span>
  );
}
