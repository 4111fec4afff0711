import type { InferRequest, TensorParameters } from '../../backends/inference.ts';
import { GatewayError } from '../errors.ts';
import { NOTHING, invalid, nameOf, own } from '../json-values.ts';
import type { JsonObject } from '../json-values.ts';

/** Parts of the protocol that a request may name and that are not served: refused, never passed over. */
const UNSUPPORTED_PARAMETERS: Readonly<Record<string, string>> = {
  shared_memory_region: 'shared memory is not supported; send the tensor in the request',
  sequence_id: 'sequences are not supported; send each request on its own',
  sequence_start: 'sequences are not supported; send each request on its own',
  sequence_end: 'sequences are not supported; send each request on its own',
};

/**
 * Refuses the parameters that ask for what is not served. A caller's own ones are tolerated, as the parameters extension
 * has it: no model here looks at them.
 *
 * @param where how messages name what has the parameters
 * @throws GatewayError `unsupported`
 */
export function refuseUnsupported(parameters: JsonObject, where: string): void {
  if (parameters === NOTHING) return;
  for (const [name, advice] of Object.entries(UNSUPPORTED_PARAMETERS)) {
    const value = own(parameters, name);
    if (value !== undefined && value !== 0 && value !== '' && value !== false) {
      throw new GatewayError('unsupported', `${where}.parameters.${name}: ${advice}`);
    }
  }
}

/** What the schedule policy extension lets a request say; 0 stands for the model's own, as with Triton. */
export type SchedulePolicy = Pick<InferRequest, 'priority' | 'timeoutMs'>;

const DEFAULT_POLICY: SchedulePolicy = Object.freeze({});

/** @throws GatewayError `invalid_request` */
export function readSchedulePolicy(parameters: JsonObject, where: string): SchedulePolicy {
  if (parameters === NOTHING) return DEFAULT_POLICY;
  const priority = wholeAt(parameters, 'priority', where, 'a priority level, a whole number >= 0');
  const timeoutMicroseconds = wholeAt(parameters, 'timeout', where, 'a whole number of microseconds >= 0');
  return {
    ...(priority > 0 && { priority }),
    ...(timeoutMicroseconds > 0 && { timeoutMs: timeoutMicroseconds / 1000 }),
  };
}

/** How many classes are asked for in place of an output; 0: none, the output itself. */
export function readClassification(parameters: JsonObject, where: string): number {
  return parameters === NOTHING
    ? 0
    : wholeAt(parameters, 'classification', where, 'a whole number of classes >= 0');
}

function wholeAt(parameters: JsonObject, name: string, where: string, expected: string): number {
  const value = own(parameters, name) ?? 0;
  const whole = typeof value === 'bigint' ? Number(value) : value;
  // The protocol has 64 bits, and some clients say the most of them for no limit: beyond what a double has exactly it is as much as that.
  if (typeof whole === 'number' && Number.isInteger(whole) && whole >= 0 && whole <= 2 ** 64)
    return Math.min(whole, Number.MAX_SAFE_INTEGER);
  throw invalid(`${where}.parameters.${name} is ${nameOf(value)}; expected ${expected}`);
}

/** What of a tensor's parameters says how it is sent, or is done by the gateway itself. */
const OF_THE_TRANSPORT: ReadonlySet<string> = new Set([
  'binary_data',
  'binary_data_size',
  'classification',
  'shared_memory_region',
  'shared_memory_byte_size',
  'shared_memory_offset',
]);

/**
 * Those parameters of single tensors that mean something to a model's own server alone.
 *
 * @returns undefined where there are none, as nearly always
 */
export function ownTensorParameters(
  inputs: readonly NamedParameters[],
  outputs: readonly NamedParameters[],
): TensorParameters | undefined {
  const [ofInputs, ofOutputs] = [ownByName(inputs), ownByName(outputs)];
  if (ofInputs === NONE && ofOutputs === NONE) return undefined;
  return { inputs: ofInputs, outputs: ofOutputs };
}

/** A tensor of a request, as it was sent. */
export interface NamedParameters {
  readonly name: string;
  readonly parameters: JsonObject;
}

const NONE: TensorParameters['inputs'] = new Map();

function ownByName(tensors: readonly NamedParameters[]): TensorParameters['inputs'] {
  let found: Map<string, JsonObject> | undefined;
  for (const { name, parameters } of tensors) {
    if (parameters === NOTHING) continue;
    const own = Object.entries(parameters).filter(([key]) => !OF_THE_TRANSPORT.has(key));
    if (own.length > 0) (found ??= new Map()).set(name, Object.fromEntries(own));
  }
  return found ?? NONE;
}
