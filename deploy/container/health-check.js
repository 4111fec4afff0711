/**
 * The container's health check, for an image without a shell or curl: exit code 0 when the gateway can answer.
 * SIGNALBOX_HEALTH_URL names another address than the default one.
 */
import process from 'node:process';

const url = process.env.SIGNALBOX_HEALTH_URL ?? 'http://127.0.0.1:8000/v2/health/ready';
try {
  const { status } = await globalThis.fetch(url, { signal: globalThis.AbortSignal.timeout(2000) });
  if (status !== 200) throw new Error(`${url} answered ${status}; expected 200`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
