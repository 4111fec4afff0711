import { Command } from 'commander';
import { InvalidDocuments, formatProblem } from '../../documents/problem.ts';
import { checkFiles } from '../config/check-files.ts';
import type { FilesReport } from '../config/check-files.ts';
import { loadConfig } from '../config/config.ts';

export function validateCommand(): Command {
  return new Command('validate')
    .description('check a configuration, its models’ configurations and its experiments, and serve nothing')
    .argument('[file]', 'the configuration')
    .option('-c, --config <file>', 'the configuration', 'signalbox.yaml')
    .option('--json', 'for machines: one JSON object')
    .action(async (file: string | undefined, options: { config: string; json?: true }) => {
      const report = await validate(file ?? options.config);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : render(report));
      if (report.problems.length > 0) process.exitCode = 1;
    });
}

async function validate(file: string): Promise<FilesReport> {
  try {
    return await checkFiles(await loadConfig(file, process.env));
  } catch (error) {
    if (!(error instanceof InvalidDocuments)) throw error;
    return { models: [], experiments: [], problems: error.problems, warnings: [] };
  }
}

function render({ models, experiments, problems, warnings }: FilesReport): string {
  const warned = warnings.map((warning) => `warning: ${formatProblem(warning)}\n`).join('');
  if (problems.length > 0) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    return `${warned}${problems.map(formatProblem).join('\n')}\n${count}\n`;
  }
  const lines = [
    ...models.map(({ name, versions }) => `model ${name}: versions ${versions.join(', ') || 'none'}`),
    ...experiments.map(({ key, model, status }) => `experiment ${key}: ${status}, on model ${model}`),
    'no problems',
  ];
  return `${warned}${lines.join('\n')}\n`;
}
