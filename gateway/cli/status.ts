import { Command } from 'commander';
import { adminOption, askAdmin, isRecord } from './admin-client.ts';
import { percent, textTable } from './text-table.ts';

/** An experiment as the control plane describes it, as far as it is shown here. */
interface ExperimentStatus {
  readonly key: string;
  readonly model: string;
  readonly status: string;
  readonly phase: number;
  readonly variants: readonly {
    readonly name: string;
    readonly version: number;
    readonly weight: number;
    readonly share: number;
  }[];
}

interface Experiments {
  readonly experiments: readonly ExperimentStatus[];
}

export function statusCommand(): Command {
  return new Command('status')
    .description('the experiments of a running gateway, and the share of the units that each variant gets')
    .argument('[key]', 'only this experiment')
    .addOption(adminOption())
    .option('--json', 'for machines: one JSON object')
    .action(async (key: string | undefined, { admin, json }: { admin: string; json?: true }) => {
      const answer =
        key === undefined
          ? await askAdmin(admin, '/api/experiments', isExperiments)
          : await askAdmin(admin, `/api/experiments/${encodeURIComponent(key)}`, isExperiment);
      if (json === true) process.stdout.write(`${JSON.stringify(answer)}\n`);
      else process.stdout.write(render('experiments' in answer ? answer.experiments : [answer]));
    });
}

function render(experiments: readonly ExperimentStatus[]): string {
  if (experiments.length === 0) return 'no experiment is served\n';
  const rows = experiments.flatMap(({ key, model, status, phase, variants }) =>
    variants.map(({ name, version, weight, share }, index) => [
      ...(index === 0 ? [key, model, status] : ['', '', '']),
      index === 0 ? String(phase) : '',
      name,
      String(version),
      String(weight),
      percent(share),
    ]),
  );
  const columns = ['experiment', 'model', 'status', 'phase', 'variant', 'version', 'weight', 'share'];
  return `${textTable(columns, rows, 5).join('\n')}\n`;
}

function isExperiments(answer: unknown): answer is Experiments {
  return isRecord(answer) && Array.isArray(answer.experiments) && answer.experiments.every(isExperiment);
}

function isExperiment(answer: unknown): answer is ExperimentStatus {
  return isRecord(answer) && typeof answer.key === 'string' && Array.isArray(answer.variants);
}
