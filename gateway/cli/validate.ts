import { Command } from 'commander';
import { InvalidDocuments, formatProblem } from '../../documents/problem.ts';
import { checkFiles } from '../config/check-files.ts';
import type { FilesReport } from '../config/check-files.ts';
import { compareExperiments, warnOfLeftModels } from '../config/compare-experiments.ts';
import type { ExperimentEdit } from '../config/compare-experiments.ts';
import { loadConfig } from '../config/load-config.ts';
import { placed } from '../config/placed-problems.ts';
import { planeProblems } from '../config/plane-problems.ts';

export function validateCommand(): Command {
  return new Command('validate')
    .description('check a configuration, its models’ configurations and its experiments, and serve nothing')
    .argument('[file]', 'the configuration')
    .option('-c, --config <file>', 'the configuration', 'signalbox.yaml')
    .option(
      '--against <path>',
      'class what changes from the experiments of that file or folder, which are running',
    )
    .option('--json', 'for machines: one JSON object')
    .action(async (file: string | undefined, options: ValidateOptions) => {
      const report = await validate(file ?? options.config, options.against);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : render(report));
      const { problems, edits = [] } = report;
      if (problems.length > 0 || edits.some(({ isRefused }) => isRefused)) process.exitCode = 1;
    });
}

interface ValidateOptions {
  readonly config: string;
  readonly against?: string;
  readonly json?: true;
}

/** With `--against` also what it would change. */
interface ValidateReport extends FilesReport {
  readonly edits?: readonly ExperimentEdit[];
}

async function validate(file: string, against: string | undefined): Promise<ValidateReport> {
  try {
    const config = await loadConfig(file, process.env);
    const files = await checkFiles(config);
    const problems = await placed([...(await planeProblems(config)), ...files.problems], config.file);
    const report = { ...files, problems };
    if (against === undefined || config.experiments === undefined) return report;
    const highest = (model: string): number | undefined =>
      files.models.find(({ name }) => name === model)?.versions.at(-1);
    const [edits, left] = await Promise.all([
      compareExperiments(against, config.experiments, Date.now()),
      warnOfLeftModels(against, config.experiments, highest),
    ]);
    return { ...report, warnings: [...report.warnings, ...left], edits };
  } catch (error) {
    if (!(error instanceof InvalidDocuments)) throw error;
    return { models: [], experiments: [], problems: error.problems, warnings: [] };
  }
}

function render({ models, experiments, problems, warnings, edits = [] }: ValidateReport): string {
  const changes = edits.map((edit) => `${edit.class.replace('_', ' ')}: ${formatProblem(edit)}\n`);
  const warned = warnings.map((warning) => `warning: ${formatProblem(warning)}\n`);
  const told = [...changes, ...warned].join('');
  if (problems.length > 0) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    return `${told}${problems.map(formatProblem).join('\n')}\n${count}\n`;
  }
  const lines = [
    ...models.map(({ name, versions }) => `model ${name}: versions ${versions.join(', ') || 'none'}`),
    ...experiments.map(({ key, model, status }) => `experiment ${key}: ${status}, on model ${model}`),
    edits.some(({ isRefused }) => isRefused)
      ? 'no problems but the edits that a running gateway refuses'
      : 'no problems',
  ];
  return `${told}${lines.join('\n')}\n`;
}
