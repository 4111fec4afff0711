import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { convertTorchserve } from './torchserve-import/convert.ts';
import { readProperties } from './torchserve-import/properties.ts';

interface ImportOptions {
  readonly output?: string;
  readonly json?: true;
}

export function modelsCommand(): Command {
  return new Command('models').description('models of other servers').addCommand(importCommand());
}

function importCommand(): Command {
  return new Command('import')
    .description(
      "turn TorchServe's config.properties into signalbox.yaml; what doesn't come along is told by name",
    )
    .argument('<file>', "TorchServe's configuration")
    .option('-o, --output <file>', 'where to write it; left out, or -: stdout')
    .option('--json', 'for machines: one JSON object')
    .action(async (file: string, { output: named, json }: ImportOptions) => {
      const output = named === '-' ? undefined : named;
      const conversion = await convert(file);
      const { yaml, notes, registrations } = conversion;
      // One that is there stays as it is.
      if (output !== undefined) await writeFile(output, yaml, { flag: 'wx' }).catch(inTheWay(output));
      if (json === true) {
        process.stdout.write(
          `${JSON.stringify({ ...conversion, ...(output !== undefined && { output }) })}\n`,
        );
        return;
      }
      if (output === undefined) process.stdout.write(yaml);
      else process.stdout.write(`wrote ${output}\n`);
      if (notes.length > 0)
        process.stderr.write(`\nDoesn't come along:\n${notes.map((note) => `  ${note}\n`).join('')}`);
      if (registrations.length > 0) {
        process.stderr.write(
          `\nOnce it serves, registers what TorchServe loaded:\n${registrations.map((call) => `  ${call}\n`).join('')}`,
        );
      }
    });
}

async function convert(file: string): Promise<ReturnType<typeof convertTorchserve>> {
  try {
    return convertTorchserve(readProperties(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function inTheWay(output: string): (cause: unknown) => never {
  return (cause) => {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw isThere
      ? new Error(`${output} is there already, and stays as it is; name another file`, { cause })
      : cause;
  };
}
