/** A gateway in a process that is made to be killed: it tells when it serves, and each change once it is in force. */
import { pino } from 'pino';
import { loadConfig } from '../../gateway/config/load-config.ts';
import { serve } from '../../gateway/server.ts';

export type KillMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'in_force'; readonly version: number; readonly state: string };

const tell = (message: KillMessage): void => {
  process.send?.(message);
};

process.once('message', (file: string) => {
  void (async () => {
    const { gateway } = await serve(await loadConfig(file, {}), pino({ level: 'silent' }));
    gateway.experiments.onChange(({ after }) => {
      tell({ kind: 'in_force', version: after.version, state: after.cause.action });
    });
    tell({ kind: 'ready' });
  })();
});
