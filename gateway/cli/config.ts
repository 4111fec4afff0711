import { Command } from 'commander';
import { stringify } from 'yaml';
import { loadConfig } from '../config/load-config.ts';
import { shownConfig } from '../config/shown-config.ts';

export function configCommand(): Command {
  return new Command('config')
    .description('show a configuration as it is understood: every default filled in, secrets redacted')
    .argument('[file]', 'the configuration')
    .option('-c, --config <file>', 'the configuration', 'signalbox.yaml')
    .option('--json', 'for machines: one JSON object')
    .action(async (file: string | undefined, options: { readonly config: string; readonly json?: true }) => {
      const shown = shownConfig(await loadConfig(file ?? options.config, process.env));
      process.stdout.write(options.json === true ? `${JSON.stringify(shown)}\n` : stringify(shown));
    });
}
