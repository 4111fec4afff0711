import { MessageChannel } from 'node:worker_threads';
import type { MessagePort, Worker } from 'node:worker_threads';
import type { FromWorker, SessionOptions, ToWorker } from './messages.ts';
import { deviceOf } from './providers/execution-provider.ts';
import type { GpuProvider } from './providers/execution-provider.ts';
import { ListenedLink, startWorker } from './worker-link.ts';
import type { WorkerLink } from './worker-link.ts';

/**
 * The thread that holds every session on a device whose sessions share one. It is started by the first and ends with the last.
 *
 * There is one for each device of the process, whoever asks: the runtime's device context is the process's own.
 */
export class GpuWorker {
  readonly #links = new Set<PortLink>();
  #worker: Worker | undefined;
  /** The thread before is to be gone before the next one begins. */
  #ended: Promise<void> = Promise.resolve();

  /** Opens a session on it; what becomes of it is told over the link. */
  async open(options: SessionOptions): Promise<WorkerLink> {
    if (this.#worker === undefined) await this.#ended;
    const worker = (this.#worker ??= this.#start());
    const { port1: near, port2: far } = new MessageChannel();
    const link = new PortLink(near, () => {
      this.#links.delete(link);
      // A loop that is empty ends the thread by itself.
      if (this.#links.size === 0 && this.#worker === worker) {
        this.#worker = undefined;
        worker.postMessage({ kind: 'end' });
      }
    });
    this.#links.add(link);
    worker.postMessage({ kind: 'open', port: far, options }, [far]);
    return link;
  }

  #start(): Worker {
    const worker = startWorker({ kind: 'device' });
    const ended = Promise.withResolvers<undefined>();
    this.#ended = ended.promise;
    let reason: string | undefined;
    worker.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', (code) => {
      if (this.#worker === worker) {
        this.#worker = undefined;
        for (const link of this.#links) link.lose(reason ?? `exit code ${code}`);
      }
      ended.resolve(undefined);
    });
    return worker;
  }
}

const workers = new Map<string, GpuWorker>();

export function gpuWorkerOf(provider: GpuProvider): GpuWorker {
  const device = deviceOf(provider);
  const worker = workers.get(device) ?? new GpuWorker();
  workers.set(device, worker);
  return worker;
}

class PortLink extends ListenedLink {
  readonly #port: MessagePort;
  #reason = 'the thread of its device ended';

  constructor(port: MessagePort, onGone: () => void) {
    super();
    this.#port = port;
    port.on('message', (message: FromWorker) => {
      this.tell(message);
    });
    port.on('close', () => {
      onGone();
      this.tellGone(this.#reason);
    });
  }

  post(message: ToWorker): void {
    this.#port.postMessage(message);
  }

  /** Its thread is gone, for a reason that the port itself can't tell. */
  lose(reason: string): void {
    this.#reason = reason;
    this.#port.close();
  }
}
