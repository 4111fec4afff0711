import { Command, InvalidArgumentError, Option } from 'commander';
import { adminOption, askAdmin } from './admin-client.ts';
import { isExperiment, isExperiments, statusTable, statusText } from './experiment-status.ts';
import { watch } from './live-view.ts';

interface StatusOptions {
  readonly admin: string;
  readonly json?: true;
  readonly watch?: true;
  readonly interval: number;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('the experiments of a running gateway: what is in force, since when and why')
    .argument('[key]', 'only this experiment')
    .addOption(adminOption())
    .option('--json', 'for machines: one JSON object; with --watch one a line, whenever something changed')
    .option('-w, --watch', 'a live view, until Ctrl-C')
    .addOption(
      new Option('--interval <seconds>', 'time between two looks of --watch').default(1).argParser(secondsOf),
    )
    .action(async (key: string | undefined, { admin, json, watch: isLive, interval }: StatusOptions) => {
      const isJson = json === true;
      const look = () => statusOf(admin, key, isJson);
      if (isLive === true) await watch(look, interval * 1000, isJson ? 'lines' : 'screen');
      else process.stdout.write(await look());
    });
}

async function statusOf(admin: string, key: string | undefined, isJson: boolean): Promise<string> {
  if (key === undefined) {
    const answer = await askAdmin(admin, '/api/experiments', isExperiments);
    return isJson ? `${JSON.stringify(answer)}\n` : statusTable(answer.experiments);
  }
  const answer = await askAdmin(admin, `/api/experiments/${encodeURIComponent(key)}`, isExperiment);
  return isJson ? `${JSON.stringify(answer)}\n` : statusText(answer);
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('expected 0.1 to 3600 seconds');
  return seconds;
}
