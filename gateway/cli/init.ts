import { access, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command, InvalidArgumentError } from 'commander';
import { starterFiles } from './starter-files.ts';

const DEFAULT_MODEL = 'example';

export function initCommand(): Command {
  return new Command('init')
    .description('write a commented signalbox.yaml, a sample experiment and the folders that they name')
    .argument('[folder]', 'where', '.')
    .option('--model <name>', 'the served name of the first model; left out, a terminal is asked', modelName)
    .option('--json', 'for machines: one JSON object')
    .action(async (folder: string, options: { model?: string; json?: true }) => {
      const model = options.model ?? (options.json === true ? DEFAULT_MODEL : await askModel());
      const written = await writeStarter(folder, model);
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ folder, model, written })}\n`
          : told(folder, model, written),
      );
    });
}

/**
 * Writes all of it, or nothing where a file of the same name is there already.
 *
 * @returns the files' paths, relative to the folder
 * @throws Error that names the files that are in the way
 */
async function writeStarter(folder: string, model: string): Promise<readonly string[]> {
  const files = Object.entries(starterFiles(model));
  const inTheWay: string[] = [];
  for (const [path] of files) {
    if (await exists(join(folder, path))) inTheWay.push(join(folder, path));
    // Where a folder belongs there may be a file.
    const parent = join(folder, dirname(path));
    if ((await exists(parent)) && !(await stat(parent)).isDirectory()) inTheWay.push(parent);
  }
  if (inTheWay.length > 0) {
    throw new Error(
      `${inTheWay.join(', ')}: there already, and nothing was written; name another folder, or move it away`,
    );
  }
  for (const [path, content] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    // Should the file have come in between, it stays as it is.
    await writeFile(join(folder, path), content, { flag: 'wx' });
  }
  return files.map(([path]) => path);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A script or a pipe is never asked. */
async function askModel(): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return DEFAULT_MODEL;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = (await terminal.question(`The model's name (${DEFAULT_MODEL}): `)).trim();
    return answer === '' ? DEFAULT_MODEL : modelName(answer);
  } finally {
    terminal.close();
  }
}

/** A model's name is a folder's, and the sample experiment's key is made of it. */
function modelName(text: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(text)) {
    throw new InvalidArgumentError('expected a name of a to z, 0 to 9 and -');
  }
  return text;
}

function told(folder: string, model: string, written: readonly string[]): string {
  const at = (path: string): string => join(folder, path);
  return (
    `${written.map((path) => `wrote ${at(path)}\n`).join('')}\n` +
    `Next:\n  put a model at ${at(`models/${model}/1/model.onnx`)}\n` +
    `  npx signalbox validate ${at('signalbox.yaml')}\n  npx signalbox serve --config ${at('signalbox.yaml')}\n`
  );
}
