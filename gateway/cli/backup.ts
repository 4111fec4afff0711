import { resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../config/load-config.ts';

interface BackupOptions {
  readonly config: string;
  readonly json?: true;
}

export function backupCommand(): Command {
  return new Command('backup')
    .description('copy the state store as it is at one moment, while gateways go on using it')
    .argument('<file>', 'where the copy goes; it must not be there yet')
    .option('-c, --config <file>', 'the configuration whose state it is', 'signalbox.yaml')
    .option('--json', 'for machines: one JSON object')
    .action(async (file: string, { config, json }: BackupOptions) => {
      const { state } = await loadConfig(config, process.env);
      const target = resolve(file);
      switch (state.kind) {
        case 'memory':
          throw new Error(`${config} keeps its state in memory: there is nothing to copy`);
        case 'sqlite': {
          const { backupSqlite } = await import('../../experiments/stores/backup/sqlite-backup.ts');
          const bytes = await backupSqlite(state.file, target);
          tell(json, { file: target, bytes }, `${target}: ${bytes} bytes`);
          break;
        }
        case 'redis': {
          const { backupRedis } = await import('../../experiments/stores/backup/redis-backup.ts');
          const keys = await backupRedis(state.url, target);
          tell(json, { file: target, keys }, `${target}: ${keys} keys`);
        }
      }
    });
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('put a copy back as the state store; stop the gateways that use it first')
    .argument('<file>', 'the copy')
    .option('-c, --config <file>', 'the configuration whose state it becomes', 'signalbox.yaml')
    .option('--force', 'replace a state that is there')
    .option('--json', 'for machines: one JSON object')
    .action(async (file: string, { config, force, json }: BackupOptions & { readonly force?: true }) => {
      const { state } = await loadConfig(config, process.env);
      const source = resolve(file);
      switch (state.kind) {
        case 'memory':
          throw new Error(`${config} keeps its state in memory: there is nothing to restore`);
        case 'sqlite': {
          const { restoreSqlite } = await import('../../experiments/stores/backup/sqlite-backup.ts');
          await restoreSqlite(source, state.file, force === true);
          tell(json, { restored: state.file }, `${state.file} is as it was in ${source}`);
          break;
        }
        case 'redis': {
          const { restoreRedis } = await import('../../experiments/stores/backup/redis-backup.ts');
          const keys = await restoreRedis(source, state.url, force === true);
          tell(json, { keys }, `the state in Redis is as it was in ${source}: ${keys} keys`);
        }
      }
    });
}

function tell(json: true | undefined, data: object, words: string): void {
  process.stdout.write(`${json === true ? JSON.stringify(data) : words}\n`);
}
