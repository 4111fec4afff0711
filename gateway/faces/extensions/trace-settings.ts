import { GatewayError } from '../../errors.ts';
import { invalid, own } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';

/** The trace extension's settings. Traces are not taken, so they stand still, and say so. */
export const TRACE_SETTINGS = Object.freeze({
  trace_level: ['OFF'],
  trace_rate: '1000',
  trace_count: '-1',
  log_frequency: '0',
  trace_file: '',
  trace_mode: 'triton',
});

/**
 * Takes changes that change nothing (a setting's own value, or null to clear it), and refuses the others by name.
 *
 * @throws GatewayError
 */
export function changeTraceSettings(changes: JsonObject): typeof TRACE_SETTINGS {
  for (const name of Object.keys(changes)) {
    if (!isSetting(name)) {
      const known = Object.keys(TRACE_SETTINGS).join(', ');
      throw invalid(`unknown trace setting '${name.slice(0, 64)}'; known: ${known}`);
    }
    const value = own(changes, name);
    // An array of one string and the string are the same setting, in JSON as in gRPC.
    const [current] = [TRACE_SETTINGS[name]].flat();
    const values: readonly unknown[] = [value].flat();
    if (value === null || (values.length === 1 && values[0] === current)) continue;
    throw new GatewayError(
      'unsupported',
      `${name} can not be changed: traces are not taken, so trace_level is OFF and the other settings stay as they are`,
    );
  }
  return TRACE_SETTINGS;
}

function isSetting(name: string): name is keyof typeof TRACE_SETTINGS {
  return Object.hasOwn(TRACE_SETTINGS, name);
}
