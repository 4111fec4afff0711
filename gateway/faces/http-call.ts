import type { Socket } from 'node:net';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Call } from '../pipeline/call.ts';
import { actorOf } from '../standing/control.ts';
import type { CallerHead } from '../trust/admission.ts';
import { NOBODY } from '../trust/principal.ts';
import type { Principal } from '../trust/principal.ts';

/** The model and the version that a path names. */
export interface ModelPath {
  readonly model: string;
  readonly version?: string;
}

/** The head of an HTTP call. */
export function httpCall(request: FastifyRequest, path: ModelPath, answerableBy: Call['answerableBy']): Call {
  // The pipeline counts it from here on.
  request.isCounted = true;
  return new HttpCall(request, path, answerableBy);
}

/** A class, because an accessor of an object literal is defined anew for each object, which takes microseconds. */
class HttpCall implements Call {
  readonly protocol = 'http';
  readonly answerableBy: Call['answerableBy'];
  readonly model: string;
  readonly version: string | undefined;
  readonly header: Call['header'];
  readonly principal: Principal;
  readonly query: Readonly<Record<string, unknown>>;
  readonly arrivalMs: number;
  readonly signal: AbortSignal;
  /** Undefined while a body that was left on its connection is still coming. */
  #receivedMs: number | undefined;

  constructor(request: FastifyRequest, { model, version }: ModelPath, answerableBy: Call['answerableBy']) {
    const { raw } = request;
    const { headers } = raw;
    this.answerableBy = answerableBy;
    this.model = model;
    this.version = version;
    this.header = (name) => headerOf(headers, name);
    this.principal = request.principal ?? NOBODY;
    // Fastify has parsed them already.
    this.query = request.query as Readonly<Record<string, unknown>>;
    this.arrivalMs = request.arrivalMs;
    this.signal = hangUpSignal(raw.socket);
    if (isBodyComing(raw)) {
      raw.once('end', () => {
        this.#receivedMs = performance.now();
      });
    } else this.#receivedMs = performance.now();
  }

  get receivedMs(): number {
    return this.#receivedMs ?? performance.now();
  }
}

function isBodyComing(raw: IncomingMessage): boolean {
  if (raw.readableEnded) return false;
  const { 'content-length': length, 'transfer-encoding': coding } = raw.headers;
  // HTTP/2 has bodies that neither header tells of.
  return length === undefined ? coding !== undefined || raw.httpVersionMajor > 1 : length !== '0';
}

/** What admission looks at. */
export function callerHead({ raw, params, clientAddress }: FastifyRequest): CallerHead {
  const { headers } = raw;
  const { model, version } = params as Partial<ModelPath>;
  return { header: (name) => headerOf(headers, name), address: clientAddress, model, version };
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value =
    (Object.hasOwn(headers, name) ? headers[name] : undefined) ??
    (name === 'host' ? headers[AUTHORITY] : undefined);
  return value === undefined ? undefined : utf8Of(typeof value === 'string' ? value : value.join(', '));
}

/** What HTTP/2 has in the place of Host. */
export const AUTHORITY = ':authority';

/** Node reads headers as Latin-1; what a unit is called is hashed as the UTF-8 that was sent. */
function utf8Of(value: string): string {
  return BEYOND_ASCII.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
}

const BEYOND_ASCII = /[\u0080-\u00ff]/;

const hangUps = new WeakMap<Socket, AbortSignal>();

/** Aborted when the caller's connection closes; made once for a connection, as most carry many calls. Over HTTP/2 it is the call's own stream. */
function hangUpSignal(socket: Socket): AbortSignal {
  const known = hangUps.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  socket.once('close', () => {
    controller.abort();
  });
  hangUps.set(socket, controller.signal);
  return controller.signal;
}

/** Who calls, for what the audit log says of them. */
export function modelCaller({
  principal,
  clientAddress,
}: Pick<FastifyRequest, 'principal' | 'clientAddress'>) {
  return { principal: principal ?? NOBODY, actor: actorOf(principal, clientAddress) };
}
