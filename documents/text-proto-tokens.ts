/** A token of protobuf's text format, and where it stands in the text. */
export interface Token {
  readonly kind: 'word' | 'string' | 'mark';
  readonly text: string;
  readonly offset: number;
  readonly end: number;
}

/** Blanks and comments; a text in quotes; a mark; everything else is a word: names, numbers, true. */
const PATTERN =
  /(?<gap>(?:\s|#[^\n]*)+)|(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<mark>[{}<>[\],;:-])|(?<word>[A-Za-z0-9_.+]+(?:(?<=[0-9.][eE])-[0-9]+)?)/y;

/** @param errorAt makes the error of a place that no token begins at, which is thrown */
export function tokenize(
  text: string,
  errorAt: (offset: number, message: string) => Error,
): readonly Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(PATTERN);
  while (pattern.lastIndex < text.length) {
    const offset = pattern.lastIndex;
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) {
      const isQuote = text.startsWith('"', offset) || text.startsWith("'", offset);
      throw errorAt(
        offset,
        isQuote ? 'a text in quotes does not end on its line' : `"${text[offset] ?? ''}" is unexpected`,
      );
    }
    const end = pattern.lastIndex;
    const token = text.slice(offset, end);
    if (groups.word !== undefined) tokens.push({ kind: 'word', text: token, offset, end });
    else if (groups.string !== undefined) tokens.push({ kind: 'string', text: token, offset, end });
    else if (groups.mark !== undefined) tokens.push({ kind: 'mark', text: token, offset, end });
  }
  return tokens;
}
