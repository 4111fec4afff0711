import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';

/** What `dashboards/` generates and the package carries. */
const DASHBOARDS = fileURLToPath(new URL('../../dashboards/', import.meta.url));
const RULES = join(DASHBOARDS, 'prometheus', 'rules.yaml');
const GRAFANA = join(DASHBOARDS, 'grafana');

interface ObserveOptions {
  /** `host:port` of each gateway's metrics. */
  readonly metrics: readonly string[];
  /** Where Prometheus listens. */
  readonly listen: string;
  /** Where it keeps its data; left out: nowhere once it ends. */
  readonly data?: string;
  readonly prometheus: string;
  readonly json?: true;
}

export function observeCommand(): Command {
  return new Command('observe')
    .description('start Prometheus with the rules and the scrape configuration, until SIGTERM or SIGINT')
    .option('--metrics <addresses>', "the gateways' metrics, host:port, separated by commas", addressesOf, [
      '127.0.0.1:8002',
    ])
    .option('--listen <address>', 'where Prometheus listens', addressOf, '127.0.0.1:9090')
    .option('--data <folder>', 'where it keeps its data; left out: nowhere once it ends')
    .option('--prometheus <program>', 'the program', 'prometheus')
    .option('--json', 'for machines: one JSON object when it is ready')
    .addHelpText('after', '\nA gateway that asks for keys wants one of the scope `metrics` in SIGNALBOX_KEY.')
    .action(observe);
}

/** @throws Error where Prometheus isn't installed or doesn't start */
async function observe({ metrics, listen, data, prometheus, json }: ObserveOptions): Promise<void> {
  const program = await findProgram(prometheus);
  if ((await fetch(`http://${listen}`).catch(() => undefined)) !== undefined) {
    throw new Error(`something answers at ${listen} already; name a free address with --listen`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-observe-'));
  try {
    const config = join(folder, 'prometheus.yaml');
    await writeFile(config, stringify(await scrapeConfig(metrics, folder, process.env.SIGNALBOX_KEY)));
    const child = spawn(
      program,
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data === undefined ? join(folder, 'data') : resolve(data)}`,
        `--web.listen-address=${listen}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4000)));
    const stopping = new AbortController();
    const stop = (): void => {
      stopping.abort();
      child.kill('SIGTERM');
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    const ended = once(child, 'exit');
    const ready = await Promise.race([answers(`http://${listen}/-/ready`), ended.then(() => false)]);
    if (ready) tell({ listen, metrics, config, json, unreachable: await unreachable(metrics) });
    await ended;
    if (!stopping.signal.aborted)
      throw new Error(`prometheus ended by itself; the last that it said:\n${said.trim()}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function findProgram(name: string): Promise<string> {
  const candidates = name.includes('/')
    ? [resolve(name)]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  for (const path of candidates) {
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error(
    `${name} is not installed. Install Prometheus (Debian: apt-get install prometheus; macOS: brew install prometheus), ` +
      'or name the program with --prometheus. To use a Prometheus that runs elsewhere, give it ' +
      `${RULES} and the scrape configuration beside it.`,
  );
}

async function scrapeConfig(
  targets: readonly string[],
  folder: string,
  key: string | undefined,
): Promise<object> {
  const scrape = { job_name: 'signalbox', static_configs: [{ targets }] };
  const base = {
    global: { scrape_interval: '2s', evaluation_interval: '2s' },
    rule_files: [RULES],
  };
  if (key === undefined || key === '') return { ...base, scrape_configs: [scrape] };
  // Prometheus shows its configuration to whoever asks, but never the content of a credentials file.
  const file = join(folder, 'key');
  await writeFile(file, key, { mode: 0o600 });
  return { ...base, scrape_configs: [{ ...scrape, authorization: { credentials_file: file } }] };
}

/** Resolves once the address answers; the other side of the race ends it where it never does. */
async function answers(url: string): Promise<boolean> {
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok === true) return true;
    await new Promise((next) => setTimeout(next, 100).unref());
  }
}

/** Gateways that nobody answers for now; any answer at all, a 401 too, shows that somebody is there. */
async function unreachable(targets: readonly string[]): Promise<readonly string[]> {
  const tried = await Promise.all(
    targets.map(async (target) =>
      (await fetch(`http://${target}/metrics`).catch(() => undefined)) === undefined ? [target] : [],
    ),
  );
  return tried.flat();
}

interface Told {
  readonly listen: string;
  readonly metrics: readonly string[];
  readonly config: string;
  readonly json: true | undefined;
  readonly unreachable: readonly string[];
}

function tell({ listen, metrics, config, json, unreachable }: Told): void {
  if (json === true) {
    const told = {
      prometheus: `http://${listen}`,
      metrics,
      unreachable,
      config,
      rules: RULES,
      grafana: GRAFANA,
    };
    process.stdout.write(`${JSON.stringify(told)}\n`);
    return;
  }
  const missing = unreachable.map((target) => `  nobody answers at ${target} yet; it goes on trying\n`);
  process.stdout.write(
    `Prometheus     http://${listen}\n` +
      `  scrapes      ${metrics.join(', ')}\n` +
      missing.join('') +
      `  alerts       http://${listen}/alerts\n` +
      `  rules        ${RULES}\n\n` +
      `Dashboards     ${GRAFANA}\n` +
      '  import the .json files there: Grafana, Dashboards, New, Import; choose this Prometheus as the data source\n' +
      `  or let Grafana load them itself: ${join(GRAFANA, 'provisioning')}\n\n` +
      'Ctrl-C stops it.\n',
  );
}

function addressesOf(text: string): readonly string[] {
  return text.split(',').map(addressOf);
}

function addressOf(text: string): string {
  const address = text.trim();
  const [, port] = /^(?:[^\s:/]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})$/.exec(address) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError(`"${address}" is no address; expected host:port, as 127.0.0.1:8002`);
  }
  return address;
}
