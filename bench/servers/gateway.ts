/** The gateway itself, as `signalbox serve` runs it. */
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';
import { openLog } from '../../gateway/telemetry/log-sink.ts';
import { serveBench } from './server-process.ts';

serveBench(async ({ config = 'signalbox.yaml' }) => {
  const loaded = await loadConfig(config, process.env);
  const server = await serve(loaded, openLog({ logLevel: 'warn' }));
  const portOf = (address: string | undefined): number => Number(address?.split(':').at(-1));
  let [rowsBefore, batchesBefore] = [0, 0];
  return {
    port: portOf(server.bound.http),
    ...(server.bound.metrics !== undefined && { metricsPort: portOf(server.bound.metrics) }),
    ...(server.bound.grpc !== undefined && { grpcPort: portOf(server.bound.grpc) }),
    async averageBatch() {
      const text = await server.gateway.metrics.render();
      const total = (name: string): number =>
        [...text.matchAll(new RegExp(`^signalbox_batch_size_${name}\\{.*\\} (.*)$`, 'gm'))]
          .map((match) => Number(match[1]))
          .reduce((sum, value) => sum + value, 0);
      const [rows, batches] = [total('sum'), total('count')];
      const average = (rows - rowsBefore) / (batches - batchesBefore);
      [rowsBefore, batchesBefore] = [rows, batches];
      return average;
    },
    stop: () => server.stop(),
  };
});
