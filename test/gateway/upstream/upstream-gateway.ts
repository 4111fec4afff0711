import { identityModel } from '../../models/onnx-graph.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { GatewayFiles, RunningGateway } from '../running-gateway.ts';

export interface UpstreamGateway extends Omit<GatewayFiles, 'files'> {
  /** The keys of the variant's `upstream` beside its `url`. */
  readonly upstream?: Readonly<Record<string, unknown>>;
  /** Keys of the experiment. */
  readonly experiment?: Readonly<Record<string, unknown>>;
  readonly files?: GatewayFiles['files'];
}

/** A server is well or not as it was at the start: on a busy machine checks may come too late, and that is what few tests are about. */
export const CHECKED_ONCE = { interval: '1h', timeout: '1m' };

/** A gateway whose control is a version of its own, an identity, and whose other variant, which gets everybody, lives at `url`. */
export function startUpstreamGateway(
  url: string,
  { upstream = {}, experiment = {}, files = {}, ...more }: UpstreamGateway = {},
): Promise<RunningGateway> {
  const variants = [
    { name: 'v1', version: 1, weight: 0 },
    { name: 'v3', weight: 1, upstream: { url, health: CHECKED_ONCE, ...upstream } },
  ];
  return startGateway({
    ...more,
    files: {
      'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/digits.yaml': experimentFile({ variants, ...experiment }),
      ...files,
    },
  });
}

/** A v2 request of one value. */
export const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [7] }],
});

/** How a call was answered. */
export interface Answered {
  readonly status: number;
  readonly variant: string | null;
  readonly reason: string | null;
  /** The first value of the first output; 42 is the variant's, 7 the control's. */
  readonly value: number | undefined;
  readonly error: string | undefined;
  readonly headers: Headers;
}

export async function infer(
  gateway: RunningGateway,
  init: RequestInit & { readonly duplex?: 'half' } = {},
): Promise<Answered> {
  const response = await fetch(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    body: BODY,
    ...init,
  });
  const answer = (await response.json()) as {
    readonly error?: string;
    readonly outputs?: readonly { readonly data?: readonly number[] }[];
  };
  return {
    status: response.status,
    variant: response.headers.get('x-experiment'),
    reason: response.headers.get('x-experiment-reason'),
    value: answer.outputs?.[0]?.data?.[0],
    error: answer.error,
    headers: response.headers,
  };
}
