import { newBatchId } from '../../backends/batching/batch-id.ts';
import type { InferAnswer, InferRequest } from '../../backends/inference.ts';
import type { Servable } from '../../backends/servable.ts';
import { StatisticsRecorder } from '../../backends/statistics.ts';
import type { VersionStatistics } from '../../backends/statistics.ts';
import { v2ModelPath } from '../../experiments/upstream-definition.ts';
import type { UpstreamDefinition, UpstreamProtocol } from '../../experiments/upstream-definition.ts';
import type { UpstreamAnswer } from './exchange.ts';
import { HealthCheck } from './health-check.ts';
import type { OnReadiness } from './health-check.ts';
import { StreamedBody } from './streamed-body.ts';
import { UpstreamDescription } from './upstream-description.ts';
import type { LocalVersion } from './upstream-description.ts';
import { UpstreamFailure } from './upstream-failure.ts';
import { UpstreamServer } from './upstream-server.ts';
import type { AnswerLimits, CallLimits, ServerEvents, UpstreamRequest } from './upstream-server.ts';
import { decodeV2Answer, decodeV2Metadata, encodeV2Request } from './v2-codec.ts';

export interface UpstreamOptions {
  /** The model's name as callers use it. */
  readonly model: string;
  readonly definition: UpstreamDefinition;
  /** Whether callers' keys and tokens are asked for, and so never passed on. */
  readonly keepsCredentials: boolean;
  readonly answers: AnswerLimits;
  /** How images become its input, and what its classes are called: as the model's own version here has it. */
  readonly local: () => LocalVersion | undefined;
  readonly events: UpstreamEvents;
}

export interface UpstreamEvents extends ServerEvents {
  readonly onReadiness: OnReadiness;
}

/** A variant that a server elsewhere answers for. */
export class UpstreamVersion implements Servable {
  readonly about: UpstreamDescription;
  readonly queued = 0;
  readonly expectedWaitMs = undefined;
  readonly instances = undefined;
  readonly definition: UpstreamDefinition;
  readonly keepsCredentials: boolean;

  readonly #server: UpstreamServer;
  readonly #health: HealthCheck;
  readonly #statistics = new StatisticsRecorder();
  /** Whether the metadata is that of the server as it is since it was last well. */
  #isDescribed = false;
  #holders = 0;
  #unheld: PromiseWithResolvers<undefined> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: UpstreamOptions) {
    const { definition, model, keepsCredentials, answers, local, events } = options;
    this.definition = definition;
    this.keepsCredentials = keepsCredentials;
    this.about = new UpstreamDescription(model, definition, local);
    this.#server = new UpstreamServer(definition, answers, events);
    this.#health = new HealthCheck(definition.health, (signal) => this.#probe(signal), events.onReadiness);
  }

  /** Asks for the first time whether it is well; resolves when that is known. */
  start(): Promise<void> {
    return this.#health.start();
  }

  get protocol(): UpstreamProtocol {
    return this.definition.protocol;
  }

  /** Whether it can be sent requests: not any more once it is closed, while it answers its last ones. */
  get isReady(): boolean {
    return this.#closed === undefined && this.#health.isReady;
  }

  /** Why it isn't ready; empty where it is. */
  get reason(): string {
    return this.#health.reason;
  }

  get statistics(): VersionStatistics {
    return this.#statistics.read();
  }

  /**
   * Has the server answer a request that is not decoded here.
   *
   * @throws UpstreamFailure; a GatewayError of another kind where the caller's body can't be had
   */
  forward<Read>(
    request: UpstreamRequest,
    limits: CallLimits,
    read: (answer: UpstreamAnswer) => Read,
  ): Promise<Read> {
    const { body } = request;
    return this.#measured(
      () => this.#server.call(request, limits, read),
      body instanceof StreamedBody ? body : undefined,
    );
  }

  /** @throws UpstreamFailure */
  async infer(request: InferRequest): Promise<InferAnswer> {
    const { traceContext, deadlineMs, signal } = request;
    const { tensors, headers: added } = this.definition;
    const { body, headers } = await encodeV2Request(request, tensors);
    for (const [name, value] of Object.entries({ ...traceContext, ...added })) headers.push(name, value);
    const path = `${v2ModelPath(this.definition)}/infer`;
    const { outputs, computeMs } = await this.#measured(() =>
      this.#server.call(
        { method: 'POST', path, headers, body, whole: true },
        { deadlineMs: () => deadlineMs, signal },
        (answer) => ({
          outputs: decodeV2Answer(answer, request.outputs),
          computeMs: answer.computeMs,
        }),
      ),
    );
    return {
      outputs,
      queueMs: 0,
      computeMs,
      batchRows: request.inputs[0]?.shape[0] ?? 1,
      // Batches are the server's own affair: what is here of one is the request itself.
      batchId: newBatchId(),
      release: () => undefined,
    };
  }

  /** What the server itself is busy with can't be seen: a copy goes there where nothing else is under way. */
  hasRoomFor(): boolean {
    return this.#holders === 0 && this.isReady;
  }

  hold(): () => void {
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders === 0) this.#unheld?.resolve(undefined);
    };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#health.close();
    if (this.#holders > 0) {
      this.#unheld = Promise.withResolvers<undefined>();
      await this.#unheld.promise;
    }
    await this.#server.close();
  }

  /** @param streamed what the caller goes on sending meanwhile, for which the server can't be blamed */
  async #measured<Read>(call: () => Promise<Read>, streamed?: StreamedBody): Promise<Read> {
    const startMs = performance.now();
    const elapsedMs = (): number => performance.now() - (streamed?.endedMs ?? startMs);
    try {
      const answer = await call();
      this.#statistics.recordSuccess(elapsedMs(), 0);
      return answer;
    } catch (error) {
      const isCallers = !(error instanceof UpstreamFailure) || error.kind === 'rejected';
      this.#statistics.recordFailure(isCallers ? 'invalid_input' : 'run_failed', elapsedMs());
      throw error;
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const { health, protocol } = this.definition;
    try {
      await this.#server.get(health.path, health.timeoutMs, signal);
    } catch (error) {
      // Whoever answers next may be another server, or have another model.
      this.#isDescribed = false;
      throw error;
    }
    if (protocol === 'v2' && !this.#isDescribed) await this.#readMetadata(signal);
  }

  /** Bodies that are passed on need none of it, so a server is ready without: one that says what isn't known here has none. */
  async #readMetadata(signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.#server.get(
        v2ModelPath(this.definition),
        this.definition.health.timeoutMs,
        signal,
      );
      this.about.metadata = undefined;
      this.about.metadata = decodeV2Metadata(answer);
      this.#isDescribed = true;
    } catch {
      // It is asked again when it is next asked whether it is well.
    }
  }
}
