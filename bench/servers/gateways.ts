/** Several gateways in one process, each as `signalbox serve` runs it: how a process fares is the same for all of them. */
import { openSync } from 'node:fs';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';
import type { Server } from '../../gateway/server.ts';
import { openLog } from '../../gateway/telemetry/log-sink.ts';
import type { BenchedGateway, GatewayPorts } from './messages.ts';
import { serveBench } from './server-process.ts';

serveBench(async ({ gateways = [] }) => {
  const servers: Server[] = [];
  for (const gateway of gateways) servers.push(await start(gateway));
  const ports = servers.map(portsOf);
  return {
    port: ports[0]?.port ?? 0,
    gateways: ports,
    averageBatch: () => Promise.resolve(undefined),
    stop: () => Promise.all(servers.map((server) => server.stop())),
  };
});

async function start({ config, logFile, uncounted }: BenchedGateway): Promise<Server> {
  const loaded = await loadConfig(config, process.env);
  const log = logFile === undefined ? openLog({ logLevel: 'warn' }) : openLog(loaded, openSync(logFile, 'a'));
  const server = await serve(loaded, log);
  if (uncounted === true)
    Object.assign(server.gateway.metrics, { recordRequest: () => undefined, recordBatch: () => undefined });
  return server;
}

function portsOf({ bound }: Server): GatewayPorts {
  const portOf = (address: string | undefined): number => Number(address?.split(':').at(-1));
  return { port: portOf(bound.http), metricsPort: portOf(bound.metrics) };
}
