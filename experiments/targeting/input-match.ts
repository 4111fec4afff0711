import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Path } from '../../documents/yaml-document.ts';
import type { InputMetadata } from '../attribute.ts';
import type { Refuse } from './matcher.ts';

const RowCount = (what: string) => Type.Integer({ minimum: 0, expected: `${what}, a whole number of rows` });

/** What an input tensor of the request has to look like. */
export const InputMatchSchema = Type.Object(
  {
    datatype: Type.Optional(
      Type.String({ pattern: '^[A-Z0-9]{2,8}$', expected: 'a datatype of the protocol, as FP32' }),
    ),
    rows: Type.Optional(
      Type.Object(
        { min: Type.Optional(RowCount('the fewest')), max: Type.Optional(RowCount('the most')) },
        { additionalProperties: false, expected: 'a map of min and max, both included' },
      ),
    ),
    shape: Type.Optional(
      Type.Array(Type.Integer({ minimum: -1, expected: 'a whole number, or -1 for any size' }), {
        maxItems: 32,
        expected: 'a list of sizes, rows first, as [-1, 64]; -1 is any size',
      }),
    ),
  },
  { additionalProperties: false, expected: 'a map of datatype, rows and shape' },
);

/** A condition on one input tensor, which the request has to have. */
export interface InputMatch {
  readonly input: string;
  readonly datatype: string | undefined;
  readonly minRows: number;
  readonly maxRows: number;
  /** -1: any size. */
  readonly shape: readonly number[] | undefined;
}

export function readInputMatch(
  input: string,
  { datatype, rows, shape }: Static<typeof InputMatchSchema>,
  path: Path,
  refuse: Refuse,
): InputMatch {
  const minRows = rows?.min ?? 0;
  const maxRows = rows?.max ?? Infinity;
  if (minRows > maxRows)
    refuse([...path, 'rows'], `has min ${minRows} and max ${maxRows}, which is no number`);
  return { input, datatype, minRows, maxRows, shape };
}

export function matchesInput(match: InputMatch, inputs: readonly InputMetadata[]): boolean {
  const input = inputs.find(({ name }) => name === match.input);
  if (input === undefined) return false;
  const rows = input.shape[0] ?? 0;
  return (
    (match.datatype === undefined || input.datatype === match.datatype) &&
    rows >= match.minRows &&
    rows <= match.maxRows &&
    (match.shape === undefined ||
      (match.shape.length === input.shape.length &&
        match.shape.every((size, axis) => size === -1 || size === input.shape[axis])))
  );
}

/** Whether no input can meet both. */
export function excludesInput(a: InputMatch, b: InputMatch): boolean {
  if (a.input !== b.input) return false;
  if (a.datatype !== undefined && b.datatype !== undefined && a.datatype !== b.datatype) return true;
  if (a.maxRows < b.minRows || b.maxRows < a.minRows) return true;
  const [first, second] = [a.shape, b.shape];
  if (first === undefined || second === undefined) return false;
  return (
    first.length !== second.length ||
    first.some((size, axis) => size !== -1 && second[axis] !== -1 && size !== second[axis])
  );
}
