import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { adminOption, askAdmin } from './admin-client.ts';
import { resultsPage } from './html-report/page.ts';
import { isResults, resultsCsv, resultsText } from './results-report.ts';

interface ResultsOptions {
  readonly admin: string;
  readonly json?: true;
  readonly csv?: true;
  readonly html?: string;
}

export function resultsCommand(): Command {
  return new Command('results')
    .description('what an experiment says: the verdict, its metrics with their intervals, its health')
    .argument('<key>', "the experiment's key")
    .addOption(adminOption())
    .addOption(new Option('--json', 'for machines: one JSON object').conflicts(['csv', 'html']))
    .addOption(new Option('--csv', 'a line for each metric of each variant').conflicts('html'))
    .option('--html <file>', 'one page with charts that needs nothing else; - writes it to the output')
    .action(async (key: string, { admin, json, csv, html }: ResultsOptions) => {
      const path = `/api/experiments/${encodeURIComponent(key)}/results`;
      const results = await askAdmin(admin, path, isResults);
      if (html !== undefined) await writePage(html, resultsPage(results, new Date().toISOString()));
      else if (json === true) process.stdout.write(`${JSON.stringify(results)}\n`);
      else process.stdout.write(csv === true ? resultsCsv(results) : resultsText(results));
    });
}

async function writePage(file: string, page: string): Promise<void> {
  if (file === '-') {
    process.stdout.write(page);
    return;
  }
  await writeFile(file, page);
  process.stdout.write(`${file} is written\n`);
}
