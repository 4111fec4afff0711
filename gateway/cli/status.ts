import { Command, InvalidArgumentError, Option } from 'commander';
import { adminOption, askAdmin } from './admin-client.ts';
import { isExperiment, isExperiments, statusTable, statusText } from './experiment-status.ts';
import { watch } from './live-view.ts';
import { isRolloutAnswer, rolloutText } from './rollout-report.ts';

interface StatusOptions {
  readonly admin: string;
  readonly json?: true;
  readonly watch?: true;
  readonly dryRun?: true;
  readonly interval: number;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('the experiments of a running gateway: what is in force, since when and why')
    .argument('[key]', 'only this experiment')
    .addOption(adminOption())
    .option('--json', 'for machines: one JSON object; with --watch one a line, whenever something changed')
    .option('-w, --watch', 'a live view, until Ctrl-C')
    .option('--dry-run', 'of an experiment with a rollout: what an analysis would decide now, and why')
    .addOption(
      new Option('--interval <seconds>', 'time between two looks of --watch').default(1).argParser(secondsOf),
    )
    .action(
      async (key: string | undefined, { admin, json, watch: isLive, dryRun, interval }: StatusOptions) => {
        const isJson = json === true;
        if (dryRun === true && key === undefined)
          throw new InvalidArgumentError('--dry-run asks one rollout; expected the key of its experiment');
        const look = () =>
          dryRun === true && key !== undefined ? dryRunOf(admin, key, isJson) : statusOf(admin, key, isJson);
        if (isLive === true) await watch(look, interval * 1000, isJson ? 'lines' : 'screen');
        else process.stdout.write(await look());
      },
    );
}

async function statusOf(admin: string, key: string | undefined, isJson: boolean): Promise<string> {
  if (key === undefined) {
    const answer = await askAdmin(admin, '/api/experiments', isExperiments);
    return isJson ? `${JSON.stringify(answer)}\n` : statusTable(answer.experiments);
  }
  const answer = await askAdmin(admin, `/api/experiments/${encodeURIComponent(key)}`, isExperiment);
  return isJson ? `${JSON.stringify(answer)}\n` : statusText(answer);
}

async function dryRunOf(admin: string, key: string, isJson: boolean): Promise<string> {
  const path = `/api/experiments/${encodeURIComponent(key)}/rollout`;
  const answer = await askAdmin(admin, path, isRolloutAnswer);
  return isJson ? `${JSON.stringify(answer)}\n` : rolloutText(answer);
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('expected 0.1 to 3600 seconds');
  return seconds;
}
