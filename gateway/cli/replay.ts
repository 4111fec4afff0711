import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command, InvalidArgumentError } from 'commander';
import { Compile } from 'typebox/compile';
import { ExposureLineSchema } from '../../experiments/exposure-line.ts';
import type { ExposureLine } from '../../experiments/exposure-line.ts';
import { WhatIfReplay, replayLine } from '../../experiments/replay.ts';
import type { WhatIf } from '../../experiments/replay.ts';

type Weights = Readonly<Record<string, number>>;

/** What a replay found. */
interface ReplayReport {
  readonly lines: number;
  /** Lines whose assignment came out as it was logged. */
  readonly same: number;
  /** Lines that were not split: overrides, fallbacks and the like. */
  readonly notSplit: number;
  readonly different: readonly Difference[];
  readonly differentLines: number;
  readonly experiments: readonly string[];
  readonly whatIf?: WhatIf;
}

interface Difference {
  readonly file: string;
  readonly line: number;
  readonly predictionId: string;
  readonly logged: string;
  readonly expected: string;
}

/** Differences that are told one by one; all are counted. */
const TOLD_DIFFERENCES = 20;

const checkLine = Compile(ExposureLineSchema);

export function replayCommand(): Command {
  return new Command('replay')
    .description('assign the requests of exposure logs again, and tell where the outcome is another one')
    .argument('<files...>', 'exposure logs, as telemetry.events writes them')
    .option(
      '--what-if <weights>',
      'how these weights would have split the same units, as v1=80,v2=20',
      readWeights,
    )
    .option('--experiment <key>', 'only the lines of this experiment')
    .option('--json', 'for machines: one JSON object')
    .action(async (files: string[], options: { whatIf?: Weights; experiment?: string; json?: true }) => {
      const report = await replay(files, options.experiment, options.whatIf);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : render(report));
      if (report.differentLines > 0) process.exitCode = 1;
    });
}

function readWeights(text: string): Weights {
  const pairs = text.split(',').map((pair): readonly [string, number] => {
    const match = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62})=([0-9]{1,7})$/.exec(pair.trim());
    if (match === null)
      throw new InvalidArgumentError('expected variants with whole numbers, as v1=80,v2=20');
    return [match[1] ?? '', Number(match[2])];
  });
  if (new Set(pairs.map(([name]) => name)).size < pairs.length)
    throw new InvalidArgumentError('expected each variant once');
  if (pairs.every(([, weight]) => weight === 0)) throw new InvalidArgumentError('expected a weight above 0');
  return Object.fromEntries(pairs);
}

/** @throws Error for a file that can't be read, or a line that is none of an exposure log */
async function replay(
  files: readonly string[],
  experiment: string | undefined,
  weights: Weights | undefined,
): Promise<ReplayReport> {
  let [lines, same, notSplit, differentLines] = [0, 0, 0, 0];
  const different: Difference[] = [];
  const experiments = new Set<string>();
  const whatIf = weights === undefined ? undefined : new WhatIfReplay(weights);
  for (const file of files) {
    for await (const { line, number } of linesOf(file)) {
      if (experiment !== undefined && line.experiment !== experiment) continue;
      lines += 1;
      experiments.add(line.experiment);
      const replayed = replayLine(line);
      if (replayed.kind === 'same') same += 1;
      else if (replayed.kind === 'not_split') notSplit += 1;
      else {
        differentLines += 1;
        const { prediction_id: predictionId, variant: logged } = line;
        if (different.length < TOLD_DIFFERENCES)
          different.push({ file, line: number, predictionId, logged, expected: replayed.expected });
      }
      whatIf?.add(line);
    }
  }
  const known = [...experiments].sort();
  if (experiment !== undefined && known.length === 0)
    throw new Error(`the logs have no line of experiment "${experiment}"`);
  if (whatIf !== undefined && known.length > 1)
    throw new Error(`the logs are of several experiments: ${known.join(', ')}; pick one with --experiment`);
  const report = { lines, same, notSplit, different, differentLines, experiments: known };
  return whatIf === undefined ? report : { ...report, whatIf: whatIf.finish() };
}

async function* linesOf(
  file: string,
): AsyncGenerator<{ readonly line: ExposureLine; readonly number: number }> {
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    if (text === '') continue;
    const line = parse(text);
    if (!checkLine.Check(line)) {
      const [error] = checkLine.Errors(line);
      const why = error === undefined ? '' : `: ${error.instancePath} ${error.message}`;
      throw new Error(`${file}:${number}: is no line of an exposure log${why}`);
    }
    yield { line, number };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function render(report: ReplayReport): string {
  const { lines, same, notSplit, differentLines, different, experiments, whatIf } = report;
  const out = [
    `${lines} requests of ${experiments.join(', ') || 'no experiment'}`,
    `${same} assigned again as they were logged, ${notSplit} not split (override, fallback, paused…)`,
    `${differentLines} assigned otherwise`,
    ...different.map(
      ({ file, line, logged, expected, predictionId }) =>
        `${file}:${line}: logged ${logged}, assigned ${expected} (${predictionId})`,
    ),
  ];
  if (whatIf !== undefined) out.push(...renderWhatIf(whatIf));
  return `${out.join('\n')}\n`;
}

function renderWhatIf({ before, after, units, moved }: WhatIf): readonly string[] {
  const percent = (part: number): string => `${((100 * part) / Math.max(1, units)).toFixed(2)} %`;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return [
    `what if: ${units} units`,
    ...names.map((name) => {
      const [was, would] = [before[name]?.units ?? 0, after[name]?.units ?? 0];
      return `  ${name}: ${was} units (${percent(was)}) would be ${would} (${percent(would)}), ${after[name]?.requests ?? 0} requests`;
    }),
    ...Object.entries(moved).map(([way, count]) => `  ${way}: ${count} units (${percent(count)})`),
  ];
}
