/** A number as a program prints one: `1,200`, `0.99`, `1.0e-16`, `-3`. */
const NUMBER = String.raw`[-+]?\d[\d.,]*(?:e[-+]?\d+)?`;
/** A drawing of intervals or bars, which is as long as its numbers say. */
const DRAWING = '[─├┤●│#▏▎▍▌▋▊▉█]+';

/**
 * Whether a command printed what a page shows. White space says nothing: a long line may be wrapped, a column may be
 * wider. `…` stands for anything.
 *
 * @param numbersVary whether each number, and each drawing, stands for any: of times, or of a random sample
 */
export function isShown(shown: string, printed: string, numbersVary: boolean): boolean {
  const tokens = shown.trim().split(/\s+/);
  const pattern = tokens.map((token) => patternOf(token, numbersVary)).join(String.raw`\s*`);
  return new RegExp(String.raw`^\s*${pattern}\s*$`, 'u').test(printed);
}

function patternOf(token: string, numbersVary: boolean): string {
  const wild = numbersVary ? new RegExp(`…|${NUMBER}|${DRAWING}`, 'gu') : /…/gu;
  let pattern = '';
  let from = 0;
  for (const { 0: part, index } of token.matchAll(wild)) {
    pattern += literal(token.slice(from, index)) + wildcardOf(part);
    from = index + part.length;
  }
  return pattern + literal(token.slice(from));
}

function wildcardOf(part: string): string {
  if (part === '…') return String.raw`[\s\S]*?`;
  return /\d/.test(part) ? `(?:${NUMBER})` : String.raw`(?:[\s─├┤●│#▏▎▍▌▋▊▉█]+)`;
}

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
