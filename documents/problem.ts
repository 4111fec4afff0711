/** One thing that is wrong in a file a person wrote, where it stands, and what would be right. */
export interface Problem {
  /** The file as the user named it. */
  readonly file: string;
  /** 1-based; 0 where the problem is with the file as a whole. */
  readonly line: number;
  /** 1-based; 0 where the problem is with the file as a whole. */
  readonly column: number;
  /** The key's path, as `variants[1].weight`; empty for the document itself. */
  readonly path: string;
  /** What was found and what was expected, one sentence. */
  readonly message: string;
}

/** `signalbox.yaml:3:5: listen.http: is 80; expected …`, the form editors and terminals turn into links. */
export function formatProblem(problem: Problem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  return problem.path === ''
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.path}: ${problem.message}`;
}

/** A problem that concerns a whole file: it is missing, or can't be read. */
export function fileProblem(file: string, message: string): Problem {
  return { file, line: 0, column: 0, path: '', message };
}

/** Whether one path is the other's, or one of the two leads through the other. */
export function isWithinOther(one: string, other: string): boolean {
  const [outer, inner] = one.length <= other.length ? [one, other] : [other, one];
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}

/** In the order in which they stand in the file. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** Thrown once for all that is wrong with a set of files, never for the first mistake only. */
export class InvalidDocuments extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'InvalidDocuments';
    this.problems = problems;
  }
}
