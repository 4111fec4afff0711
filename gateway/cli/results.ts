import { Command, Option } from 'commander';
import { adminOption, askAdmin } from './admin-client.ts';
import { isResults, resultsCsv, resultsText } from './results-report.ts';

interface ResultsOptions {
  readonly admin: string;
  readonly json?: true;
  readonly csv?: true;
}

export function resultsCommand(): Command {
  return new Command('results')
    .description('what an experiment says: the verdict, its metrics with their intervals, its health')
    .argument('<key>', "the experiment's key")
    .addOption(adminOption())
    .addOption(new Option('--json', 'for machines: one JSON object').conflicts('csv'))
    .option('--csv', 'a line for each metric of each variant')
    .action(async (key: string, { admin, json, csv }: ResultsOptions) => {
      const path = `/api/experiments/${encodeURIComponent(key)}/results`;
      const results = await askAdmin(admin, path, isResults);
      if (json === true) process.stdout.write(`${JSON.stringify(results)}\n`);
      else process.stdout.write(csv === true ? resultsCsv(results) : resultsText(results));
    });
}
