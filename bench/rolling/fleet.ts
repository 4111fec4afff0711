import { Nginx, pause } from './nginx.ts';
import { Replica } from './replica.ts';

const CHECK_EVERY_MS = 100;

/**
 * Replicas behind nginx, and the health checks that nginx' free edition lacks: every replica is asked for its readiness, and nginx is given
 * those that are ready. On Kubernetes the endpoints of a Service do this.
 */
export class Fleet implements AsyncDisposable {
  readonly nginx: Nginx;
  readonly #config: string;
  readonly #replicas: Replica[];
  readonly #checks = new AbortController();
  #balanced: readonly string[];
  #checking: Promise<void> = Promise.resolve();

  private constructor(nginx: Nginx, config: string, replicas: Replica[]) {
    this.nginx = nginx;
    this.#config = config;
    this.#replicas = replicas;
    this.#balanced = replicas.map(({ http }) => http);
  }

  /** @param folder for nginx; must not be there yet */
  static async start(program: string, folder: string, config: string, count: number): Promise<Fleet> {
    const replicas = await Promise.all(Array.from({ length: count }, () => Replica.start(config)));
    const nginx = await Nginx.start(
      program,
      folder,
      replicas.map(({ http }) => http),
    );
    const fleet = new Fleet(nginx, config, replicas);
    fleet.#checking = fleet.#check();
    return fleet;
  }

  get size(): number {
    return this.#replicas.length;
  }

  /** The control plane of a replica that is ready. */
  get admin(): string {
    return this.#replicas[0]?.admin ?? '';
  }

  /** Resolves when as many more are ready and get requests. */
  async grow(count: number): Promise<void> {
    const started = await Promise.all(Array.from({ length: count }, () => Replica.start(this.#config)));
    this.#replicas.push(...started);
    await this.#until(() => started.every(({ http }) => this.#balanced.includes(http)));
  }

  /**
   * Stops the oldest ones with SIGTERM; nobody tells nginx but the checks.
   *
   * @throws Error where one did not answer all that it had
   */
  async drain(count: number): Promise<void> {
    const leaving = this.#replicas.slice(0, count);
    const codes = await Promise.all(leaving.map((replica) => replica.stop()));
    for (const replica of leaving) this.#replicas.splice(this.#replicas.indexOf(replica), 1);
    if (codes.some((code) => code !== 0)) throw new Error(`replicas ended with ${codes.join(', ')}, not 0`);
  }

  /** One after the other: a new one comes before an old one goes. */
  async restart(): Promise<void> {
    for (let left = this.size; left > 0; left--) {
      await this.grow(1);
      await this.drain(1);
    }
  }

  /** Kills the oldest one as a machine that is gone does. */
  async killOne(): Promise<void> {
    const [victim] = this.#replicas;
    await victim?.kill();
    await this.#until(() => victim === undefined || !this.#balanced.includes(victim.http));
    this.#replicas.shift();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#checks.abort();
    await this.#checking;
    await this.nginx[Symbol.asyncDispose]();
    await Promise.all(this.#replicas.map((replica) => replica.kill()));
  }

  async #check(): Promise<void> {
    while (!this.#checks.signal.aborted) {
      const asked = [...this.#replicas];
      const answers = await Promise.all(asked.map((replica) => replica.isReady()));
      const ready = asked.filter((_, index) => answers[index]).map(({ http }) => http);
      if (ready.length > 0 && ready.join() !== this.#balanced.join()) {
        await this.nginx.balance(ready);
        this.#balanced = ready;
      }
      await pause(CHECK_EVERY_MS);
    }
  }

  async #until(check: () => boolean): Promise<void> {
    while (!check()) await pause(CHECK_EVERY_MS);
  }
}
