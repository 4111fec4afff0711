import { InvalidArgumentError } from 'commander';

/** The value of an option that is a whole number above 0. @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}
