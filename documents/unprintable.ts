/**
 * What would act on the terminal or the page of whoever reads a text: control characters, line and paragraph separators, what turns the
 * direction of the text round it (Unicode's Bidi_Control, and the deprecated ones beside it), and halves of characters.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}\u206a-\u206f]/u;

/** The first such character, as `U+202E`; undefined where there is none. */
function unprintableIn(text: string): string | undefined {
  const code = UNPRINTABLE.exec(text)?.[0].codePointAt(0);
  return code === undefined ? undefined : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Finishes the sentence "the name …"; undefined where the text has nothing but characters that can be shown. */
export function whyUnprintable(text: string): string | undefined {
  const unprintable = unprintableIn(text);
  return unprintable && `has the control character ${unprintable}; expected one line of text without any`;
}
