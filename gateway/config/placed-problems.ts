import { readFileState } from '../../documents/file-state.ts';
import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';

/**
 * Gives problems of a configuration's keys the line and column of the key: a configuration that was read knows its values, and not where they stood.
 *
 * @param file the configuration's
 */
export async function placed(problems: readonly Problem[], file: string): Promise<readonly Problem[]> {
  const state = await readFileState(file);
  if (state.kind === 'unreadable') return problems;
  try {
    const document = parseYaml(state.text, file);
    return problems.map((problem) =>
      problem.file === file && problem.line === 0 && problem.path !== ''
        ? document.problemAt(problem.path.split('.'), problem.message)
        : problem,
    );
  } catch (error) {
    // It was edited since.
    if (error instanceof InvalidDocuments) return problems;
    throw error;
  }
}
