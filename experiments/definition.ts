import { Type } from 'typebox';
import type { Static } from 'typebox';
import { InvalidDocuments } from '../documents/problem.ts';
import type { Problem } from '../documents/problem.ts';
import { checkDocument } from '../documents/schema-check.ts';
import type { Path, YamlDocument } from '../documents/yaml-document.ts';

const Name = (what: string) =>
  Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
    expected: `${what}: letters, digits, ".", "_" and "-", 63 characters at most`,
  });

const VariantSchema = Type.Object(
  {
    name: Name("a variant's name"),
    version: Type.Integer({ minimum: 1, expected: 'a version of the model, a whole number > 0' }),
    weight: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      expected: 'a whole number from 0 to 1000000 (for 99.5 % to 0.5 % write 995 and 5)',
    }),
  },
  { additionalProperties: false, expected: 'a map of name, version and weight' },
);

/** An experiment's file, in the contract's words. */
export const ExperimentSchema = Type.Object(
  {
    key: Type.String({
      pattern: '^[a-z0-9-]{1,63}$',
      expected: 'a name of small letters, digits and "-", 63 characters at most',
    }),
    model: Name("the model's name"),
    status: Type.Enum(['draft', 'running', 'paused', 'completed']),
    hashAttribute: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        expected: 'the name of the request header that names the unit, as x-user-id',
      }),
    ),
    seed: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, expected: 'a text of 1 to 200 characters' }),
    ),
    hashVersion: Type.Optional(Type.Literal(1, { expected: '1, the only hash version there is' })),
    coverage: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, expected: 'a share of the units, from 0 to 1' }),
    ),
    control: Name("the control variant's name"),
    variants: Type.Array(VariantSchema, { minItems: 1, expected: 'a list of at least one variant' }),
    onUnavailable: Type.Optional(Type.Enum(['fallback', 'error'])),
    winner: Type.Optional(Name("the winning variant's name")),
  },
  { additionalProperties: false, expected: 'a map with key, model, status, control and variants' },
);

export type Variant = Readonly<Static<typeof VariantSchema>>;

/** An experiment as it is served: every default filled in, variants in the order of their names. */
export interface Experiment {
  readonly key: string;
  /** The served name that callers use. */
  readonly model: string;
  readonly status: 'draft' | 'running' | 'paused' | 'completed';
  /** The request header that names the unit, lower case. */
  readonly hashAttribute: string;
  readonly seed: string;
  /** The share of units that are enrolled, 0 to 1. */
  readonly coverage: number;
  readonly control: Variant;
  readonly variants: readonly Variant[];
  /** What a caller gets whose variant can't answer: the control, or an error. */
  readonly onUnavailable: 'fallback' | 'error';
  /** Whom all get once the experiment is completed. */
  readonly winner: Variant;
}

/** The versions of a model that the repository has, ready or not; undefined for a model it hasn't. */
export type KnownVersions = (model: string) => readonly number[] | undefined;

/**
 * Reads an experiment's file.
 *
 * @throws InvalidDocuments with everything that is wrong with it
 */
export function readExperiment(document: YamlDocument, knownVersions: KnownVersions): Experiment {
  const file = checkDocument(document, ExperimentSchema);
  const problems: Problem[] = [];
  const refuse = (path: Path, message: string): void => {
    problems.push(document.problemAt(path, message));
  };

  const names = file.variants.map((variant) => variant.name);
  const versions = knownVersions(file.model);
  if (versions === undefined) {
    refuse(['model'], `is "${file.model}", but the model repository has no model of that name`);
  }
  file.variants.forEach(({ name, version }, index) => {
    if (names.indexOf(name) < index) refuse(['variants', index, 'name'], `"${name}" is there twice`);
    if (versions !== undefined && !versions.includes(version)) {
      const there =
        versions.length > 0 ? `the repository has ${versions.join(', ')}` : 'the repository has none';
      refuse(
        ['variants', index, 'version'],
        `is ${version}, but model "${file.model}" has no such version; ${there}`,
      );
    }
  });
  if (file.variants.every((variant) => variant.weight === 0)) {
    refuse(['variants'], 'have only weights of 0; at least one has to be above 0');
  }
  if (file.winner !== undefined && file.status !== 'completed') {
    refuse(['winner'], `goes with status completed only, and the status is ${file.status}`);
  }
  const pick = (name: string, path: Path): Variant | undefined => {
    const variant = file.variants.find((candidate) => candidate.name === name);
    if (variant === undefined) refuse(path, `is "${name}"; expected one of the variants ${names.join(', ')}`);
    return variant;
  };
  const control = pick(file.control, ['control']);
  const winner = file.winner === undefined ? control : pick(file.winner, ['winner']);
  if (problems.length > 0 || control === undefined || winner === undefined)
    throw new InvalidDocuments(problems);

  return Object.freeze({
    key: file.key,
    model: file.model,
    status: file.status,
    hashAttribute: (file.hashAttribute ?? 'x-user-id').toLowerCase(),
    seed: file.seed ?? file.key,
    coverage: file.coverage ?? 1,
    control,
    variants: Object.freeze([...file.variants].sort((a, b) => (a.name < b.name ? -1 : 1))),
    onUnavailable: file.onUnavailable ?? 'fallback',
    winner,
  });
}
