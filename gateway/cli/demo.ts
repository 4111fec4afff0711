import { Command } from 'commander';
import { adminOption } from './admin-client.ts';
import { serveDemo } from './serve.ts';
import { sendTraffic } from './demo-traffic.ts';
import { wholeNumber } from './whole-number.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description('serve the demo: two trained versions of a model and a 90/10 experiment')
    .action(() => serveDemo())
    .addCommand(trafficCommand());
}

function trafficCommand(): Command {
  return new Command('traffic')
    .description(
      'send the sample scans to a running demo as many users, with their true labels, and show the split and the verdict',
    )
    .option('--url <url>', "the gateway's address", 'http://127.0.0.1:8000')
    .addOption(adminOption())
    .option('--users <n>', 'how many users', wholeNumber, 30_000)
    .option('--requests <n>', 'how many requests', wholeNumber, 30_000)
    .option('--concurrency <n>', 'requests under way at once', wholeNumber, 16)
    .option('--rate <n>', 'requests a second at most (default: as fast as they are answered)', wholeNumber)
    .option('--json', 'for machines: one JSON object at the end')
    .action(
      async (options: {
        url: string;
        admin: string;
        users: number;
        requests: number;
        concurrency: number;
        rate?: number;
        json?: true;
      }) => {
        const summary = await sendTraffic({ ...options, json: options.json === true });
        if (summary.failed > 0 || summary.outcomes.failed > 0) process.exitCode = 1;
      },
    );
}
